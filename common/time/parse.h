#pragma once
// Reading times in the formats that logs use.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/time/zone.h"

namespace millrace::time {

/// A format, compiled. Immutable, thread safe.
///
/// Names: rfc3339 (and iso8601, which also takes a time without zone), rfc2822, unix (seconds with
/// or without fraction), unix_ms, unix_us, unix_ns, auto (any of: unix by its length, rfc3339,
/// rfc2822).
/// Else conversions as of strptime: %Y %y %m %d %e %b %B %h %a %A %H %k %I %l %p %P %M %S %f %L (a
/// fraction of any length) %3f %6f %9f %.f %z %:z %Z %s %j %T %R %D %F %c %+ (rfc3339) %n %t %%.
/// A blank stands for any number of blanks, other characters for themselves.
class TimeParser {
 public:
  /// `zone` is for texts that name none.
  [[nodiscard]] static Result<TimeParser> Make(std::string_view format,
                                               std::shared_ptr<const Zone> zone);

  /// Nanoseconds since 1970 UTC, or nothing: the text does not fit, the date does not exist or lies
  /// outside of 1678 to 2261. A format without a year takes the year that brings the time nearest
  /// to `now_ns` but not more than a day behind it.
  [[nodiscard]] std::optional<std::int64_t> Parse(std::string_view text, std::int64_t now_ns) const;

 private:
  enum class Kind : std::uint8_t {
    kFields,
    kIso,
    kRfc2822,
    kUnix,
    kMillis,
    kMicros,
    kNanos,
    kAuto
  };
  struct Piece {
    char conversion;  ///< 0 = literal, ' ' = blanks.
    char literal;
  };
  struct State;
  bool Read(Piece piece, std::string_view& s, State& state) const;
  std::optional<std::int64_t> ParseFields(std::string_view s, std::int64_t now_ns) const;
  std::optional<std::int64_t> ParseIso(std::string_view s) const;
  static std::optional<std::int64_t> ParseRfc2822(std::string_view s);
  static std::optional<std::int64_t> ParseUnix(std::string_view s, std::int64_t unit);

  Kind kind_ = Kind::kFields;
  std::vector<Piece> pieces_;
  std::shared_ptr<const Zone> zone_;
};

}  // namespace millrace::time
