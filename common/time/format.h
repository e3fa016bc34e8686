#pragma once
// Times as text, UTC, without libc: gmtime and strftime cost more than the rest of an event.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

/// A point of time in the proleptic Gregorian calendar, UTC.
struct CivilTime {
  std::int64_t year = 1970;
  unsigned month = 1, day = 1;  ///< From 1.
  unsigned hour = 0, minute = 0, second = 0;
  unsigned weekday = 4;      ///< 0 = Sunday.
  unsigned day_of_year = 1;  ///< From 1.
};
[[nodiscard]] CivilTime ToCivil(std::int64_t unix_seconds);

inline constexpr std::size_t kMaxRfc3339 = 40;
/// RFC 3339 in UTC with no, three, six or nine digits of a second, as many as it needs:
/// "2026-11-22T20:55:48.125Z". `out` has room for kMaxRfc3339 bytes; returns the end.
char* WriteRfc3339(std::int64_t unix_ns, char* out);
[[nodiscard]] std::string FormatRfc3339(std::int64_t unix_ns);

/// Same, for many times near each other: keeps the text of the last second.
class Rfc3339Writer {
 public:
  char* Write(std::int64_t unix_ns, char* out);

 private:
  std::int64_t second_ = INT64_MIN;
  char text_[kMaxRfc3339] = {};
  std::size_t size_ = 0;
};

/// What strftime gives for %Y %y %m %d %e %H %M %S %j %F %T %G %V %u %s %z %Z %b %a %%, in UTC.
/// False if `format` has another conversion.
[[nodiscard]] bool AppendStrftime(std::string& out, std::string_view format,
                                  std::int64_t unix_seconds);

}  // namespace millrace
