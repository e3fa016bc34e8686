#pragma once
// The small pieces of which parsers of dates are made. Each moves `s` forward when it fits.
#include <cstdint>
#include <string_view>

namespace millrace::time {

[[nodiscard]] constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Exactly `count` digits; false leaves `s` alone.
[[nodiscard]] constexpr bool ScanDigits(std::string_view& s, std::size_t count, int& value) {
  if (s.size() < count) return false;
  int v = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!IsDigit(s[i])) return false;
    v = v * 10 + (s[i] - '0');
  }
  value = v;
  s.remove_prefix(count);
  return true;
}

/// One to `limit` digits.
[[nodiscard]] constexpr bool ScanNumber(std::string_view& s, std::size_t limit, int& value) {
  std::size_t n = 0;
  int v = 0;
  while (n < limit && n < s.size() && IsDigit(s[n])) v = v * 10 + (s[n++] - '0');
  if (n == 0) return false;
  value = v;
  s.remove_prefix(n);
  return true;
}

[[nodiscard]] constexpr bool ScanChar(std::string_view& s, char c) {
  if (s.empty() || s[0] != c) return false;
  s.remove_prefix(1);
  return true;
}

/// Digits of a fraction of a second, at least one, as nanoseconds.
[[nodiscard]] constexpr bool ScanFraction(std::string_view& s, int& nanos) {
  std::size_t n = 0;
  int v = 0, scale = 100'000'000;
  while (n < s.size() && IsDigit(s[n])) {
    v += (s[n++] - '0') * scale;
    scale /= 10;
  }
  if (n == 0) return false;
  nanos = v;
  s.remove_prefix(n);
  return true;
}

/// "Z", "+01:00", "+0100" or "+01" as seconds east of UTC, less than a day.
[[nodiscard]] constexpr bool ScanOffset(std::string_view& s, int& seconds) {
  if (ScanChar(s, 'Z') || ScanChar(s, 'z')) {
    seconds = 0;
    return true;
  }
  if (s.size() < 3 || (s[0] != '+' && s[0] != '-')) return false;
  std::string_view rest = s.substr(1);
  int hours = 0, minutes = 0;
  if (!ScanDigits(rest, 2, hours) || hours > 23) return false;
  std::string_view tail = rest;
  static_cast<void>(ScanChar(tail, ':'));
  if (ScanDigits(tail, 2, minutes)) {
    if (minutes > 59) return false;
    rest = tail;
  }
  seconds = (hours * 60 + minutes) * 60 * (s[0] == '-' ? -1 : 1);
  s = rest;
  return true;
}

/// "Jan" to "Dec" as 1 to 12, in any case.
[[nodiscard]] constexpr bool ScanMonth(std::string_view& s, int& month) {
  if (s.size() < 3) return false;
  constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
  const auto lower = [](char c) { return static_cast<char>(c | 0x20); };
  const char key[] = {lower(s[0]), lower(s[1]), lower(s[2])};
  for (std::size_t m = 0; m < 12; ++m) {
    if (key[0] != kMonths[3 * m] || key[1] != kMonths[3 * m + 1] || key[2] != kMonths[3 * m + 2])
      continue;
    month = static_cast<int>(m) + 1;
    s.remove_prefix(3);
    return true;
  }
  return false;
}

}  // namespace millrace::time
