#pragma once
// Access logs of nginx and Apache, by a splitter of our own: each format is a list of columns.
#include <span>
#include <string_view>

#include "agent/decode/decoder.h"

namespace millrace::agent {

struct AccessColumn {
  enum class Kind : unsigned char {
    kWord,       ///< Up to the next blank.
    kTime,       ///< "[10/Oct/2000:13:55:36 -0700]" or RFC 3339 in brackets: the event's time.
    kQuoted,     ///< In double quotes; backslash escapes stay as they are written.
    kRequest,    ///< Quoted; "GET /path HTTP/1.1" also becomes method, path and protocol.
    kInteger,    ///< Digits.
    kNumber,     ///< Digits with a fraction.
    kBracketed,  ///< "[text]"; empty is no field.
  };
  std::string_view name;  ///< Empty: read over.
  Kind kind = Kind::kWord;
  bool keep_dash = false;  ///< "-" is the value "-"; else it is no field. Quoted only.
  bool optional = false;   ///< The line may end before this column.
};

enum class AccessFormat { kNginxCombined, kNginxMain, kNginxIngress, kCommon, kCombined };

/// Fails unless the columns fill the line.
class AccessLogDecoder final : public Decoder {
 public:
  explicit AccessLogDecoder(AccessFormat format);
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  std::span<const AccessColumn> columns_;
};

/// "10/Oct/2000:13:55:36 -0700" as nanoseconds since 1970 UTC; false = not such a time.
[[nodiscard]] bool ParseAccessTime(std::string_view text, std::int64_t& ns);

}  // namespace millrace::agent
