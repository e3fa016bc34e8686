#pragma once
// Text -> typed values, as a configuration names the types.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/arena.h"
#include "agent/core/value.h"
#include "common/base/result.h"
#include "common/time/parse.h"

namespace millrace::agent {

/// Nanoseconds since 1970 UTC, now.
[[nodiscard]] std::int64_t NowNanos();

/// Immutable, thread safe.
class Conversion {
 public:
  /// "string", "int", "float", "bool", "timestamp" or "timestamp|<format>", and Vector's other
  /// names of them (asis, bytes, integer, boolean). `zone` is for times that name none.
  [[nodiscard]] static Result<Conversion> Parse(std::string_view type,
                                                std::shared_ptr<const time::Zone> zone);
  /// Absent = the value does not have that type. New text lies in the arena.
  [[nodiscard]] Value Apply(const Value& value, Arena& arena) const;
  [[nodiscard]] bool is_string() const { return kind_ == Kind::kString; }

 private:
  enum class Kind : std::uint8_t { kString, kInt, kFloat, kBool, kTimestamp };
  Kind kind_ = Kind::kString;
  std::vector<time::TimeParser> formats_;
};

/// A number as its JSON text, true or false, else the string itself.
[[nodiscard]] Value Inferred(std::string_view text);

}  // namespace millrace::agent
