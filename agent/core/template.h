#pragma once
// Names made from events: an index, a topic, a key, a path. "logs-{{ service.name }}-%Y.%m.%d":
// {{ field }} is put in from the event, strftime conversions from its time (UTC;
// the present when it has none).
//
// Data must not choose freely where it goes: each use says how far a value is confined.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/event.h"
#include "common/base/result.h"
#include "common/config/visitor.h"

namespace millrace::agent {

/// What a rendered name is for.
enum class TemplateUse : std::uint8_t {
  kText,   ///< Anything (a message key, a header).
  kIndex,  ///< Elasticsearch index or data stream: lower case, without \ / * ? " < > | , # : and
           ///< blanks; at most 255 bytes; starts with literal text.
  kTopic,  ///< Kafka topic: [A-Za-z0-9._-], at most 249 bytes; starts with literal text.
  kPath,   ///< File path: values have no '/', no control bytes, no leading '.'; absolute; starts
           ///< with a literal folder.
};

/// Not thread safe (it keeps the text of the last second): copy it for each thread.
class Template {
 public:
  /// kInvalidArgument says what is wrong with `text`.
  static Result<Template> Parse(std::string_view text, TemplateUse use);

  /// How a rendering went.
  struct Outcome {
    bool missing = false;  ///< A field was absent, null, empty, an object or an array.
    bool changed = false;  ///< A value had characters (or a length) that the use does not allow.
  };
  /// Appends the name for one event. A field that is missing is replaced by `fallback`.
  Outcome Render(const EventBatch& batch, const Event& event, std::string_view fallback,
                 std::string& out);

  /// The same for all events: neither field nor time in it.
  [[nodiscard]] bool constant() const { return pieces_.empty(); }
  [[nodiscard]] bool has_fields() const { return has_fields_; }
  /// Literal text up to the first field or time conversion.
  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  [[nodiscard]] const std::string& source() const { return source_; }

 private:
  struct Piece {
    enum class Kind : std::uint8_t { kLiteral, kTime, kField } kind;
    std::string text;                 ///< The literal, the format, or the field's name.
    std::int64_t second = INT64_MIN;  ///< Of kTime: what `rendered` stands for.
    std::string rendered;
  };
  void Confine(std::string& out, std::size_t start, Outcome& outcome) const;

  std::string source_, prefix_;
  std::vector<Piece> pieces_;  ///< Behind the prefix.
  TemplateUse use_ = TemplateUse::kText;
  bool has_fields_ = false;
};

/// `.Check(IsTemplate<TemplateUse::kIndex>)` on a config::Visitor's field.
template <TemplateUse kUse>
std::string IsTemplate(const std::string& text) {
  const auto parsed = Template::Parse(text, kUse);
  return parsed ? std::string() : parsed.error().message;
}

}  // namespace millrace::agent
