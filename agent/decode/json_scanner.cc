#include "agent/decode/json_scanner.h"

#include <bit>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::agent::json {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

}  // namespace

const char* FindSpecial(const char* p, const char* end) {
#ifdef __SSE2__
  // Never reads behind `end`: texts come from constants too, not only from padded blocks.
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), limit = _mm_set1_epi8(31);
  while (end - p >= 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, limit), v);
    const __m128i hit =
        _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hit));
    if (mask != 0) return p + std::countr_zero(mask);
    p += 16;
  }
#endif
  while (p < end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
  return p;
}

const char* Scanner::Escape(const char* p) {
  if (end_ - p < 2) return Fail("not JSON: the text ends within a string");
  switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return p + 2;
    case 'u':
      if (end_ - p >= 6 && IsHex(p[2]) && IsHex(p[3]) && IsHex(p[4]) && IsHex(p[5])) return p + 6;
      [[fallthrough]];
    default:
      return Fail("not JSON: unknown escape in a string");
  }
}

const char* Scanner::String(const char* p, Token& token) {
  const char* const start = ++p;
  bool escaped = false;
  for (;;) {
    p = FindSpecial(p, end_);
    if (p >= end_) return Fail("not JSON: the text ends within a string");
    if (*p == '"') break;
    if (*p != '\\') return Fail("not JSON: a control character in a string");
    escaped = true;
    p = Escape(p);
    if (p == nullptr) return p;
  }
  token.text = {start, static_cast<std::size_t>(p - start)};
  token.kind = '"';
  token.escaped = escaped;
  return p + 1;
}

const char* Scanner::Number(const char* p) {
  if (*p == '-') ++p;
  if (p >= end_ || !IsDigit(*p)) return Fail("not JSON: a value is missing");
  if (*p == '0') {
    ++p;
  } else {
    while (p < end_ && IsDigit(*p)) ++p;
  }
  if (p < end_ && *p == '.') {
    ++p;
    if (p >= end_ || !IsDigit(*p)) return Fail("not JSON: a number without digits");
    while (p < end_ && IsDigit(*p)) ++p;
  }
  if (p < end_ && (*p | 0x20) == 'e') {
    ++p;
    if (p < end_ && (*p == '+' || *p == '-')) ++p;
    if (p >= end_ || !IsDigit(*p)) return Fail("not JSON: a number without digits");
    while (p < end_ && IsDigit(*p)) ++p;
  }
  return p;
}

const char* Scanner::Literal(const char* p, std::string_view word) {
  if (static_cast<std::size_t>(end_ - p) < word.size() ||
      std::memcmp(p, word.data(), word.size()) != 0)
    return Fail("not JSON: a value is missing");
  return p + word.size();
}

const char* Scanner::Object(const char* p, std::uint32_t depth) {
  if (depth > max_depth_) return Fail("nested too deep");
  Token token;
  p = SkipBlanks(p + 1);
  if (At(p, '}')) return p + 1;
  for (;;) {
    p = Key(p, token);
    if (p == nullptr) return p;
    p = Value(p, token, depth);
    if (p == nullptr) return p;
    p = SkipBlanks(p);
    if (At(p, '}')) return p + 1;
    if (!At(p, ',')) return Fail("not JSON: an object is not closed");
    p = SkipBlanks(p + 1);
  }
}

const char* Scanner::Array(const char* p, std::uint32_t depth) {
  if (depth > max_depth_) return Fail("nested too deep");
  Token token;
  p = SkipBlanks(p + 1);
  if (At(p, ']')) return p + 1;
  for (;;) {
    p = Value(p, token, depth);
    if (p == nullptr) return p;
    p = SkipBlanks(p);
    if (At(p, ']')) return p + 1;
    if (!At(p, ',')) return Fail("not JSON: an array is not closed");
    p = SkipBlanks(p + 1);
  }
}

const char* Scanner::Value(const char* p, Token& token, std::uint32_t depth) {
  if (p >= end_) return Fail("not JSON: a value is missing");
  const char* const start = p;
  char kind = *p;
  switch (kind) {
    case '"':
      return String(p, token);
    case '{':
      p = Object(p, depth + 1);
      break;
    case '[':
      p = Array(p, depth + 1);
      break;
    case 't':
      p = Literal(p, "true");
      break;
    case 'f':
      p = Literal(p, "false");
      break;
    case 'n':
      p = Literal(p, "null");
      break;
    default:
      kind = '0';
      p = Number(p);
  }
  if (p == nullptr) return p;
  token.text = {start, static_cast<std::size_t>(p - start)};
  token.kind = kind;
  return p;
}

}  // namespace millrace::agent::json
