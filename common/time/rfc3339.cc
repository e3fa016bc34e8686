#include "common/time/rfc3339.h"

#include "common/time/civil.h"
#include "common/time/scan.h"

namespace millrace::time {
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
