#pragma once
// The proleptic Gregorian calendar in plain arithmetic: no time zone, no locale, no allocation.
#include <cstdint>

namespace millrace::time {

inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;
inline constexpr std::int64_t kSecondsPerDay = 86'400;

struct Civil {
  std::int64_t year = 1970;
  int month = 1, day = 1;  ///< From 1.
  int hour = 0, minute = 0, second = 0;
  int nanos = 0;
};

[[nodiscard]] constexpr bool IsLeap(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

[[nodiscard]] constexpr int DaysInMonth(std::int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

/// Days since 1970-01-01. The year starts in March here, so that the leap day is its last.
[[nodiscard]] constexpr std::int64_t DaysFromCivil(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

/// False for a date or a time of day that does not exist. Second 60 is a leap second.
[[nodiscard]] constexpr bool IsValid(const Civil& c) {
  return c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= DaysInMonth(c.year, c.month) &&
         c.hour >= 0 && c.hour <= 23 && c.minute >= 0 && c.minute <= 59 && c.second >= 0 &&
         c.second <= 60;
}

/// What an int64 of nanoseconds can hold, whole years.
inline constexpr std::int64_t kMinYear = 1678, kMaxYear = 2261;

/// Nanoseconds since 1970 of a valid civil time at that offset east of UTC. The year must lie
/// within kMinYear and kMaxYear.
[[nodiscard]] constexpr std::int64_t NanosFromCivil(const Civil& c, int offset_seconds = 0) {
  const std::int64_t seconds = DaysFromCivil(c.year, c.month, c.day) * kSecondsPerDay +
                               c.hour * 3600 + c.minute * 60 + c.second - offset_seconds;
  return seconds * kNsPerSecond + c.nanos;
}

}  // namespace millrace::time
