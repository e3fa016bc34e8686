#pragma once
// Work on JSON text that is known to be valid (kRawJson, kJsonString): find a member, take a string
// out of its escapes, write a value. Nothing here builds a tree. Validation is decode/json.h.
#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/core/value.h"
#include "common/base/buffer.h"

namespace millrace::agent::json {

/// The value whose text starts at text[0]. Views point into `text`.
[[nodiscard]] Value FromText(std::string_view text);

/// The value of that key in an object (the last one, if the key is repeated); absent if none.
[[nodiscard]] Value Member(std::string_view object, std::string_view key);
/// The element of that index in an array; absent if out of range.
[[nodiscard]] Value Element(std::string_view array, std::size_t index);
/// Number of members of an object or elements of an array.
[[nodiscard]] std::size_t Count(std::string_view container);

/// Goes through the members of an object or the elements of an array.
class Cursor {
 public:
  explicit Cursor(std::string_view container);
  /// False at the end.
  bool Next();
  /// Still escaped; empty in an array.
  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::string_view value() const { return value_; }

 private:
  const char *p_, *end_;
  bool object_;
  std::string_view key_, value_;
};

[[nodiscard]] bool HasEscapes(std::string_view escaped);
/// Writes what `escaped` stands for to `out` (room for escaped.size() bytes) and returns the
/// length. A lone surrogate becomes U+FFFD.
std::size_t Unescape(std::string_view escaped, char* out);
/// True if the escaped text stands for `plain`.
[[nodiscard]] bool EqualsEscaped(std::string_view escaped, std::string_view plain);

/// A quoted string. Bytes that are not UTF-8 become U+FFFD.
void AppendQuoted(Buffer& out, std::string_view plain);
/// Any value; an absent one as null, a timestamp as an RFC 3339 string.
void Append(Buffer& out, const Value& value);

}  // namespace millrace::agent::json
