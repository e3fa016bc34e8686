#include "common/exposition/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace millrace::exposition {
namespace {

// Up to 2^53 every integer is its own shortest form; beyond, the general way decides.
constexpr double kExactIntegers = 9007199254740992.0;
constexpr int kFirstExponent = 6;    // 1e+06 and more are written with an exponent
constexpr int kLastPlainSmall = -4;  // less than 1e-4 too

/// The decimal digits d1 d2 d3 ... of d1.d2d3... * 10^exponent.
struct Decimal {
  char digits[24];
  int count = 0;
  int exponent = 0;
};

char* Copy(char* out, const char* text, int n) {
  std::memcpy(out, text, static_cast<std::size_t>(n));
  return out + n;
}

Decimal OfInteger(std::uint64_t value) {
  Decimal d;
  d.count =
      static_cast<int>(std::to_chars(d.digits, d.digits + sizeof d.digits, value).ptr - d.digits);
  d.exponent = d.count - 1;
  while (d.count > 1 && d.digits[d.count - 1] == '0') --d.count;
  return d;
}

Decimal OfDouble(double value) {
  char text[40];
  const char* end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  Decimal d;
  const char* p = text;
  for (; p != end && *p != 'e'; ++p)
    if (*p != '.') d.digits[d.count++] = *p;
  ++p;
  if (p != end && *p == '+') ++p;
  std::from_chars(p, end, d.exponent);
  return d;
}

char* WriteWithExponent(char* out, const Decimal& d) {
  *out++ = d.digits[0];
  if (d.count > 1) {
    *out++ = '.';
    out = Copy(out, d.digits + 1, d.count - 1);
  }
  *out++ = 'e';
  *out++ = d.exponent < 0 ? '-' : '+';
  const int exponent = std::abs(d.exponent);
  if (exponent < 10) *out++ = '0';
  return std::to_chars(out, out + 4, exponent).ptr;
}

char* WritePlain(char* out, const Decimal& d) {
  if (d.exponent < 0) {
    *out++ = '0';
    *out++ = '.';
    for (int i = -1; i > d.exponent; --i) *out++ = '0';
    return Copy(out, d.digits, d.count);
  }
  const int before = std::min(d.exponent + 1, d.count);
  out = Copy(out, d.digits, before);
  for (int i = before; i <= d.exponent; ++i) *out++ = '0';
  if (d.count > before) {
    *out++ = '.';
    out = Copy(out, d.digits + before, d.count - before);
  }
  return out;
}

}  // namespace

char* WriteGoFloat(char* out, double value) {
  if (std::isnan(value)) return Copy(out, "NaN", 3);
  if (std::isinf(value)) return Copy(out, value < 0 ? "-Inf" : "+Inf", 4);
  if (std::signbit(value)) {
    *out++ = '-';
    value = -value;
  }
  if (value < kExactIntegers) {
    const auto integer = static_cast<std::uint64_t>(value);
    if (static_cast<double>(integer) == value) {
      if (integer < 1000000) return std::to_chars(out, out + kMaxNumber - 1, integer).ptr;
      return WriteWithExponent(out, OfInteger(integer));
    }
  }
  const Decimal d = OfDouble(value);
  return d.exponent < kLastPlainSmall || d.exponent >= kFirstExponent ? WriteWithExponent(out, d)
                                                                      : WritePlain(out, d);
}

char* WriteOpenMetricsFloat(char* out, double value) {
  char* end = WriteGoFloat(out, value);
  const bool integral =
      std::all_of(out, end, [](char c) { return c != '.' && c != 'e' && c != 'N' && c != 'I'; });
  return integral ? Copy(end, ".0", 2) : end;
}

}  // namespace millrace::exposition
