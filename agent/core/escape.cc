#include "agent/core/escape.h"

#include <cstdint>
#include <cstring>

#include <simdjson.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::agent {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::uint64_t Load64(const char* p) {
  std::uint64_t x;
  std::memcpy(&x, p, 8);
  return x;
}

/// Nonzero if any byte is a control character, a quote, a backslash or (`high`) above ASCII. Exact
/// as to whether, not as to which.
std::uint64_t Special(std::uint64_t x, std::uint64_t high) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = kOnes * 0x80;
  const auto below = [](std::uint64_t v, std::uint64_t n) { return (v - kOnes * n) & ~v & kHigh; };
  return below(x, 0x20) | below(x ^ (kOnes * '"'), 1) | below(x ^ (kOnes * '\\'), 1) | (x & high);
}

/// Length of the valid UTF-8 sequence at `p`, or 0. The first byte is above ASCII.
std::size_t SequenceLength(const unsigned char* p, std::size_t left) {
  const auto tail = [&](std::size_t i) { return i < left && (p[i] & 0xC0) == 0x80; };
  const unsigned char c = p[0];
  if (c < 0xC2) return 0;
  if (c < 0xE0) return tail(1) ? 2 : 0;
  if (c < 0xF0) {
    if (!tail(1) || !tail(2)) return 0;
    if (c == 0xE0 && p[1] < 0xA0) return 0;  // overlong
    if (c == 0xED && p[1] > 0x9F) return 0;  // surrogate
    return 3;
  }
  if (c > 0xF4 || !tail(1) || !tail(2) || !tail(3)) return 0;
  if (c == 0xF0 && p[1] < 0x90) return 0;
  if (c == 0xF4 && p[1] > 0x8F) return 0;
  return 4;
}

char* WriteEscape(unsigned char c, char* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  *out++ = '\\';
  switch (c) {
    case '"':
    case '\\':
      *out++ = static_cast<char>(c);
      return out;
    case '\n':
      *out++ = 'n';
      return out;
    case '\r':
      *out++ = 'r';
      return out;
    case '\t':
      *out++ = 't';
      return out;
    case '\b':
      *out++ = 'b';
      return out;
    case '\f':
      *out++ = 'f';
      return out;
    default:
      break;
  }
  std::memcpy(out, "u00", 3);
  out[3] = kHex[c >> 4];
  out[4] = kHex[c & 15];
  return out + 5;
}

/// The rest of a string from its first byte that needs a look. `valid`: known to be UTF-8.
void AppendSlow(Buffer& buffer, std::string_view s, bool valid) {
  const auto* p = reinterpret_cast<const unsigned char*>(s.data());
  const auto* const end = p + s.size();
  const std::uint64_t high = valid ? 0 : 0x8080808080808080;
  char* out = buffer.Reserve(s.size() + 16);
  // What is left of the input always fits behind `out`, and 16 bytes more; an escape that grows
  // makes room again.
  const auto room = [&] {
    buffer.CommitTo(out);
    out = buffer.Reserve(static_cast<std::size_t>(end - p) + 32);
  };
  std::size_t grown = 0;
  while (p < end) {
    while (end - p >= 8) {
      const std::uint64_t x = Load64(reinterpret_cast<const char*>(p));
      if (Special(x, high) != 0) break;
      std::memcpy(out, &x, 8);
      p += 8;
      out += 8;
    }
    // Byte by byte to the end of this word: specials come in runs.
    const unsigned char* const stop = end - p >= 8 ? p + 8 : end;
    while (p < stop) {
      const unsigned char c = *p;
      if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
        *out++ = static_cast<char>(c);
        ++p;
        continue;
      }
      if (c >= 0x80 && valid) {
        *out++ = static_cast<char>(c);
        ++p;
        continue;
      }
      if (c < 0x80) {
        out = WriteEscape(c, out);
        ++p;
        grown += 5;
      } else if (const std::size_t n = SequenceLength(p, static_cast<std::size_t>(end - p));
                 n != 0) {
        std::memcpy(out, p, n);
        out += n;
        p += n;
      } else {
        std::memcpy(out, kReplacement.data(), 3);
        out += 3;
        ++p;
        grown += 2;
      }
      if (grown > 8) {
        room();
        grown = 0;
      }
    }
  }
  buffer.CommitTo(out);
}

}  // namespace

char* CopyPlainAscii(char* out, std::string_view s) {
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  const char* p = s.data();
  const std::size_t n = s.size();
  if (n < 16) {
    // Two words that overlap cover any length from 8 to 15, and from 4 to 7.
    if (n >= 8) {
      const std::uint64_t a = Load64(p), b = Load64(p + n - 8);
      if ((Special(a, kHigh) | Special(b, kHigh)) != 0) return nullptr;
      std::memcpy(out, &a, 8);
      std::memcpy(out + n - 8, &b, 8);
      return out + n;
    }
    if (n >= 4) {
      std::uint32_t a, b;
      std::memcpy(&a, p, 4);
      std::memcpy(&b, p + n - 4, 4);
      if (Special(std::uint64_t{b} << 32 | a, kHigh) != 0) return nullptr;
      std::memcpy(out, &a, 4);
      std::memcpy(out + n - 4, &b, 4);
      return out + n;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const auto c = static_cast<unsigned char>(p[i]);
      if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') return nullptr;
      out[i] = p[i];
    }
    return out + n;
  }
  const char* const last = p + n - 16;
  char* const last_out = out + n - 16;
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                space = _mm_set1_epi8(0x20);
  // Signed comparison: bytes above ASCII are negative, so they count as below the space.
  const auto special = [&](__m128i x) {
    return _mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash)),
                     _mm_cmplt_epi8(x, space)));
  };
  for (; p < last; p += 16, out += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    if (special(x) != 0) return nullptr;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), x);
  }
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(last));
  if (special(x) != 0) return nullptr;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(last_out), x);
#else
  for (; p < last; p += 16, out += 16) {
    const std::uint64_t a = Load64(p), b = Load64(p + 8);
    if ((Special(a, kHigh) | Special(b, kHigh)) != 0) return nullptr;
    std::memcpy(out, &a, 8);
    std::memcpy(out + 8, &b, 8);
  }
  const std::uint64_t a = Load64(last), b = Load64(last + 8);
  if ((Special(a, kHigh) | Special(b, kHigh)) != 0) return nullptr;
  std::memcpy(last_out, &a, 8);
  std::memcpy(last_out + 8, &b, 8);
#endif
  return last_out + 16;
}

void AppendEscaped(Buffer& buffer, std::string_view s) {
  char* const out = buffer.Reserve(s.size() + 16);
  if (char* const end = CopyPlainAscii(out, s); end != nullptr) return buffer.CommitTo(end);
  // One fast pass tells whether the bytes above ASCII are in order, so that they are then copied
  // like the others.
  AppendSlow(buffer, s, simdjson::validate_utf8(s.data(), s.size()));
}

void AppendUtf8(Buffer& out, std::string_view s) {
  if (simdjson::validate_utf8(s.data(), s.size())) return out.Append(s);
  const auto* p = reinterpret_cast<const unsigned char*>(s.data());
  for (std::size_t i = 0; i < s.size();) {
    const std::size_t n = p[i] < 0x80 ? 1 : SequenceLength(p + i, s.size() - i);
    out.Append(n == 0 ? kReplacement : s.substr(i, n));
    i += n == 0 ? 1 : n;
  }
}

namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The four hex digits at `s`, or -1.
int Hex4(std::string_view s) {
  if (s.size() < 4) return -1;
  int v = 0;
  for (int i = 0; i < 4; ++i) {
    const int d = HexValue(s[static_cast<std::size_t>(i)]);
    if (d < 0) return -1;
    v = v * 16 + d;
  }
  return v;
}

void AppendCodePoint(Buffer& out, std::uint32_t c) {
  char* p = out.Reserve(4);
  if (c < 0x80) {
    *p++ = static_cast<char>(c);
  } else if (c < 0x800) {
    *p++ = static_cast<char>(0xC0 | c >> 6);
    *p++ = static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    *p++ = static_cast<char>(0xE0 | c >> 12);
    *p++ = static_cast<char>(0x80 | (c >> 6 & 63));
    *p++ = static_cast<char>(0x80 | (c & 63));
  } else {
    *p++ = static_cast<char>(0xF0 | c >> 18);
    *p++ = static_cast<char>(0x80 | (c >> 12 & 63));
    *p++ = static_cast<char>(0x80 | (c >> 6 & 63));
    *p++ = static_cast<char>(0x80 | (c & 63));
  }
  out.CommitTo(p);
}

/// `rest` starts behind "\u"; returns how much of it was used.
std::size_t AppendUnicodeEscape(Buffer& out, std::string_view rest) {
  const int first = Hex4(rest);
  if (first < 0) {
    out.Append(kReplacement);
    return 0;
  }
  if (first < 0xD800 || first > 0xDFFF) {
    AppendCodePoint(out, static_cast<std::uint32_t>(first));
    return 4;
  }
  if (first < 0xDC00 && rest.size() >= 10 && rest[4] == '\\' && rest[5] == 'u') {
    const int second = Hex4(rest.substr(6));
    if (second >= 0xDC00 && second <= 0xDFFF) {
      AppendCodePoint(out, 0x10000 + (static_cast<std::uint32_t>(first - 0xD800) << 10) +
                               static_cast<std::uint32_t>(second - 0xDC00));
      return 10;
    }
  }
  out.Append(kReplacement);
  return 4;
}

}  // namespace

void AppendUnescaped(Buffer& out, std::string_view s) {
  while (!s.empty()) {
    const std::size_t slash = s.find('\\');
    if (slash == std::string_view::npos || slash + 1 == s.size()) return out.Append(s);
    out.Append(s.substr(0, slash));
    const char c = s[slash + 1];
    s.remove_prefix(slash + 2);
    switch (c) {
      case 'n':
        out.Append('\n');
        break;
      case 't':
        out.Append('\t');
        break;
      case 'r':
        out.Append('\r');
        break;
      case 'b':
        out.Append('\b');
        break;
      case 'f':
        out.Append('\f');
        break;
      case 'u':
        s.remove_prefix(AppendUnicodeEscape(out, s));
        break;
      default:
        out.Append(c);
        break;
    }
  }
}

}  // namespace millrace::agent
