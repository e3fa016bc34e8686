#include "exporters/app_metrics/src/text.h"

#include <algorithm>
#include <ctime>

namespace millrace::app_metrics {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kReplacement = "\\ufffd";

// 0 = as it is, 'u' = \u00xx, 'x' = look for UTF-8, else the letter behind the backslash.
constexpr std::array<char, 256> MakeEscapes() {
  std::array<char, 256> e{};
  for (std::size_t c = 0; c < 0x20; ++c) e[c] = 'u';
  e[0x7f] = 'u';
  for (std::size_t c = 0x80; c < 256; ++c) e[c] = 'x';
  e['\n'] = 'n';
  e['\r'] = 'r';
  e['\t'] = 't';
  e['"'] = '"';
  e['\\'] = '\\';
  return e;
}
constexpr auto kEscape = MakeEscapes();

// One character of `s` escaped into `out` (8 bytes); returns {read, written}.
struct Step {
  std::size_t read, written;
};
Step EscapeOne(std::string_view s, char* out) {
  const auto u = static_cast<unsigned char>(s[0]);
  switch (kEscape[u]) {
    case 0:
      out[0] = s[0];
      return {1, 1};
    case 'u':
      std::memcpy(out, "\\u00", 4);
      out[4] = kHex[u >> 4];
      out[5] = kHex[u & 15];
      return {1, 6};
    case 'x': {
      const std::size_t n = Utf8Length(s);
      if (n == 0) {
        std::memcpy(out, kReplacement.data(), kReplacement.size());
        return {1, kReplacement.size()};
      }
      std::memcpy(out, s.data(), n);
      return {n, n};
    }
    default:
      out[0] = '\\';
      out[1] = kEscape[u];
      return {1, 2};
  }
}

bool NeedsQuotes(std::string_view s) {
  if (s.empty()) return true;
  for (const char c : s)
    if (kEscape[static_cast<unsigned char>(c)] != 0 || c == ' ' || c == '=') return true;
  return false;
}

}  // namespace

std::size_t Utf8Length(std::string_view s) {
  const auto at = [&](std::size_t i) {
    return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
  const unsigned a = at(0);
  if (a < 0x80) return s.empty() ? 0 : 1;
  if (a >= 0xc2 && a <= 0xdf) return tail(1) ? 2 : 0;
  if (a >= 0xe0 && a <= 0xef) {
    if (a == 0xe0 && at(1) < 0xa0) return 0;
    if (a == 0xed && at(1) > 0x9f) return 0;  // surrogates
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (a >= 0xf0 && a <= 0xf4) {
    if (a == 0xf0 && at(1) < 0x90) return 0;
    if (a == 0xf4 && at(1) > 0x8f) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

void LineBuffer::PutEscaped(std::string_view s, std::size_t limit) {
  limit = std::min(limit, room());
  const std::size_t end = size_ + limit;
  while (!s.empty()) {
    std::size_t plain = 0;
    while (plain < s.size() && kEscape[static_cast<unsigned char>(s[plain])] == 0) ++plain;
    const std::size_t take = std::min(plain, end - size_);
    std::memcpy(data_.data() + size_, s.data(), take);
    size_ += take;
    s.remove_prefix(take);
    if (s.empty() || take < plain) return;
    char one[8];
    const Step step = EscapeOne(s, one);
    if (step.written > end - size_) return;
    std::memcpy(data_.data() + size_, one, step.written);
    size_ += step.written;
    s.remove_prefix(step.read);
  }
}

void LineBuffer::PutLogfmtValue(std::string_view s, std::size_t limit) {
  if (!NeedsQuotes(s)) {
    Put(s.substr(0, limit));
    return;
  }
  Put('"');
  PutEscaped(s, limit);
  Put('"');
}

void AppendJsonString(std::string& out, std::string_view s) {
  out += '"';
  while (!s.empty()) {
    char one[8];
    const Step step = EscapeOne(s, one);
    out.append(one, step.written);
    s.remove_prefix(step.read);
  }
  out += '"';
}

void WriteTime(char* out, std::int64_t unix_ms) {
  // The date changes once a second: formatting it is most of the cost.
  thread_local std::int64_t cached_second = -1;
  thread_local char cached[20];
  const std::int64_t second = unix_ms / 1000;
  if (second != cached_second) {
    const std::time_t t = second;
    std::tm tm{};
    ::gmtime_r(&t, &tm);
    const auto two = [](char* p, int v) {
      p[0] = static_cast<char>('0' + v / 10 % 10);
      p[1] = static_cast<char>('0' + v % 10);
    };
    two(cached, (tm.tm_year + 1900) / 100);
    two(cached + 2, (tm.tm_year + 1900) % 100);
    two(cached + 5, tm.tm_mon + 1);
    two(cached + 8, tm.tm_mday);
    two(cached + 11, tm.tm_hour);
    two(cached + 14, tm.tm_min);
    two(cached + 17, tm.tm_sec);
    cached[4] = cached[7] = '-';
    cached[10] = 'T';
    cached[13] = cached[16] = ':';
    cached[19] = '.';
    cached_second = second;
  }
  std::memcpy(out, cached, 20);
  const auto ms = static_cast<int>(unix_ms % 1000);
  out[20] = static_cast<char>('0' + ms / 100);
  out[21] = static_cast<char>('0' + ms / 10 % 10);
  out[22] = static_cast<char>('0' + ms % 10);
  out[23] = 'Z';
}

}  // namespace millrace::app_metrics
