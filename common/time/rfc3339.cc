#include "common/time/rfc3339.h"

#include "common/time/civil.h"
#include "common/time/scan.h"

namespace millrace::time {
namespace {

char* PutTwo(char* out, int v) {
  out[0] = static_cast<char>('0' + v / 10);
  out[1] = static_cast<char>('0' + v % 10);
  return out + 2;
}

}  // namespace

std::size_t FormatRfc3339(std::int64_t ns, char* out) {
  const Civil c = CivilFromNanos(ns);
  char* p = PutTwo(out, static_cast<int>(c.year / 100));
  p = PutTwo(p, static_cast<int>(c.year % 100));
  *p++ = '-';
  p = PutTwo(p, c.month);
  *p++ = '-';
  p = PutTwo(p, c.day);
  *p++ = 'T';
  p = PutTwo(p, c.hour);
  *p++ = ':';
  p = PutTwo(p, c.minute);
  *p++ = ':';
  p = PutTwo(p, c.second);
  if (c.nanos != 0) {
    *p++ = '.';
    int digits = 9, v = c.nanos;
    while (v % 1000 == 0) {
      v /= 1000;
      digits -= 3;
    }
    for (int i = digits - 1; i >= 0; --i) {
      p[i] = static_cast<char>('0' + v % 10);
      v /= 10;
    }
    p += digits;
  }
  *p++ = 'Z';
  return static_cast<std::size_t>(p - out);
}

std::optional<std::int64_t> ParseRfc3339(std::string_view s) {
  Civil c;
  int year = 0, offset = 0;
  if (!ScanDigits(s, 4, year) || !ScanChar(s, '-') || !ScanDigits(s, 2, c.month) ||
      !ScanChar(s, '-') || !ScanDigits(s, 2, c.day))
    return std::nullopt;
  if (!ScanChar(s, 'T') && !ScanChar(s, 't') && !ScanChar(s, ' ')) return std::nullopt;
  if (!ScanDigits(s, 2, c.hour) || !ScanChar(s, ':') || !ScanDigits(s, 2, c.minute) ||
      !ScanChar(s, ':') || !ScanDigits(s, 2, c.second))
    return std::nullopt;
  if ((ScanChar(s, '.') || ScanChar(s, ',')) && !ScanFraction(s, c.nanos)) return std::nullopt;
  if (!ScanOffset(s, offset) || !s.empty()) return std::nullopt;
  c.year = year;
  if (!IsValid(c) || c.year < kMinYear || c.year > kMaxYear) return std::nullopt;
  return NanosFromCivil(c, offset);
}

}  // namespace millrace::time
