#include "common/time/format.h"

#include <array>
#include <cstring>

namespace millrace {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

char* Digits(char* out, std::uint64_t value, unsigned width) {
  for (unsigned i = width; i > 0; --i) {
    out[i - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return out + width;
}

char* WriteSecond(std::int64_t second, char* out) {
  const CivilTime t = ToCivil(second);
  if (t.year >= 0 && t.year <= 9999) {
    out = Digits(out, static_cast<std::uint64_t>(t.year), 4);
  } else {
    *out++ = t.year < 0 ? '-' : '+';
    out = Digits(out, static_cast<std::uint64_t>(t.year < 0 ? -t.year : t.year), 6);
  }
  *out++ = '-';
  out = Digits(out, t.month, 2);
  *out++ = '-';
  out = Digits(out, t.day, 2);
  *out++ = 'T';
  out = Digits(out, t.hour, 2);
  *out++ = ':';
  out = Digits(out, t.minute, 2);
  *out++ = ':';
  return Digits(out, t.second, 2);
}

char* WriteFraction(std::uint64_t ns, char* out) {
  if (ns != 0) {
    *out++ = '.';
    if (ns % 1'000'000 == 0) {
      out = Digits(out, ns / 1'000'000, 3);
    } else if (ns % 1000 == 0) {
      out = Digits(out, ns / 1000, 6);
    } else {
      out = Digits(out, ns, 9);
    }
  }
  *out++ = 'Z';
  return out;
}

struct IsoWeek {
  std::int64_t year;
  unsigned week;
};

bool IsLeap(std::int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

unsigned WeeksIn(std::int64_t year) {
  const auto p = [](std::int64_t y) {
    return (y + FloorDiv(y, 4) - FloorDiv(y, 100) + FloorDiv(y, 400)) % 7;
  };
  return p(year) == 4 || p(year - 1) == 3 ? 53 : 52;
}

/// ISO 8601: week 1 has the year's first Thursday.
IsoWeek ToIsoWeek(const CivilTime& t) {
  const int weekday = t.weekday == 0 ? 7 : static_cast<int>(t.weekday);
  const int week = (static_cast<int>(t.day_of_year) - weekday + 10) / 7;
  if (week < 1) return {t.year - 1, WeeksIn(t.year - 1)};
  if (static_cast<unsigned>(week) > WeeksIn(t.year)) return {t.year + 1, 1};
  return {t.year, static_cast<unsigned>(week)};
}

}  // namespace

// Days to civil date: Howard Hinnant's algorithm, "chrono-Compatible Low-Level Date Algorithms".
CivilTime ToCivil(std::int64_t unix_seconds) {
  const std::int64_t days = FloorDiv(unix_seconds, 86400);
  const auto rest = static_cast<unsigned>(unix_seconds - days * 86400);
  const std::int64_t z = days + 719468;
  const std::int64_t era = FloorDiv(z, 146097);
  const auto doe = static_cast<unsigned>(z - era * 146097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  CivilTime t;
  t.day = doy - (153 * mp + 2) / 5 + 1;
  t.month = mp < 10 ? mp + 3 : mp - 9;
  t.year = static_cast<std::int64_t>(yoe) + era * 400 + (t.month <= 2 ? 1 : 0);
  t.hour = rest / 3600;
  t.minute = rest / 60 % 60;
  t.second = rest % 60;
  t.weekday = static_cast<unsigned>(((days + 4) % 7 + 7) % 7);
  static constexpr std::array<unsigned, 12> kBefore = {0,   31,  59,  90,  120, 151,
                                                       181, 212, 243, 273, 304, 334};
  t.day_of_year = kBefore[t.month - 1] + t.day + (t.month > 2 && IsLeap(t.year) ? 1 : 0);
  return t;
}

char* WriteRfc3339(std::int64_t unix_ns, char* out) {
  const std::int64_t second = FloorDiv(unix_ns, kNanosPerSecond);
  return WriteFraction(static_cast<std::uint64_t>(unix_ns - second * kNanosPerSecond),
                       WriteSecond(second, out));
}

std::string FormatRfc3339(std::int64_t unix_ns) {
  char text[kMaxRfc3339];
  return {text, WriteRfc3339(unix_ns, text)};
}

char* Rfc3339Writer::Write(std::int64_t unix_ns, char* out) {
  const std::int64_t second = FloorDiv(unix_ns, kNanosPerSecond);
  if (second != second_) {
    second_ = second;
    size_ = static_cast<std::size_t>(WriteSecond(second, text_) - text_);
  }
  std::memcpy(out, text_, size_);
  return WriteFraction(static_cast<std::uint64_t>(unix_ns - second * kNanosPerSecond), out + size_);
}

bool AppendStrftime(std::string& out, std::string_view format, std::int64_t unix_seconds) {
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                            "Thu", "Fri", "Sat"};
  const CivilTime t = ToCivil(unix_seconds);
  const auto number = [&out](std::int64_t value, unsigned width, char pad = '0') {
    const std::string text = std::to_string(value);
    if (text.size() < width) out.append(width - text.size(), pad);
    out += text;
  };
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    if (++i == format.size()) return false;
    switch (format[i]) {
      case 'Y':
        number(t.year, 4);
        break;
      case 'y':
        number(((t.year % 100) + 100) % 100, 2);
        break;
      case 'm':
        number(t.month, 2);
        break;
      case 'd':
        number(t.day, 2);
        break;
      case 'e':
        number(t.day, 2, ' ');
        break;
      case 'H':
        number(t.hour, 2);
        break;
      case 'M':
        number(t.minute, 2);
        break;
      case 'S':
        number(t.second, 2);
        break;
      case 'j':
        number(t.day_of_year, 3);
        break;
      case 'u':
        number(t.weekday == 0 ? 7 : t.weekday, 1);
        break;
      case 'G':
        number(ToIsoWeek(t).year, 4);
        break;
      case 'V':
        number(ToIsoWeek(t).week, 2);
        break;
      case 's':
        number(unix_seconds, 1);
        break;
      case 'b':
        out += kMonths[t.month - 1];
        break;
      case 'a':
        out += kDays[t.weekday];
        break;
      case 'z':
        out += "+0000";
        break;
      case 'Z':
        out += "UTC";
        break;
      case 'F':
        if (!AppendStrftime(out, "%Y-%m-%d", unix_seconds)) return false;
        break;
      case 'T':
        if (!AppendStrftime(out, "%H:%M:%S", unix_seconds)) return false;
        break;
      case '%':
        out += '%';
        break;
      default:
        return false;
    }
  }
  return true;
}

}  // namespace millrace
