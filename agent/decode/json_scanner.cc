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

bool Scanner::Escape() {
  if (end_ - p_ < 2) return Fail("not JSON: the text ends within a string");
  switch (p_[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      p_ += 2;
      return true;
    case 'u':
      if (end_ - p_ >= 6 && IsHex(p_[2]) && IsHex(p_[3]) && IsHex(p_[4]) && IsHex(p_[5])) {
        p_ += 6;
        return true;
      }
      [[fallthrough]];
    default:
      return Fail("not JSON: unknown escape in a string");
  }
}

bool Scanner::String(Token& token) {
  const char* const start = ++p_;
  token.escaped = false;
  for (;;) {
    p_ = FindSpecial(p_, end_);
    if (p_ >= end_) return Fail("not JSON: the text ends within a string");
    if (*p_ == '"') break;
    if (*p_ != '\\') return Fail("not JSON: a control character in a string");
    token.escaped = true;
    if (!Escape()) return false;
  }
  token.text = {start, static_cast<std::size_t>(p_ - start)};
  token.kind = '"';
  ++p_;
  return true;
}

bool Scanner::Number() {
  if (*p_ == '-') ++p_;
  if (p_ >= end_ || !IsDigit(*p_)) return Fail("not JSON: a value is missing");
  if (*p_ == '0') {
    ++p_;
  } else {
    while (p_ < end_ && IsDigit(*p_)) ++p_;
  }
  if (p_ < end_ && *p_ == '.') {
    ++p_;
    if (p_ >= end_ || !IsDigit(*p_)) return Fail("not JSON: a number without digits");
    while (p_ < end_ && IsDigit(*p_)) ++p_;
  }
  if (p_ < end_ && (*p_ | 0x20) == 'e') {
    ++p_;
    if (p_ < end_ && (*p_ == '+' || *p_ == '-')) ++p_;
    if (p_ >= end_ || !IsDigit(*p_)) return Fail("not JSON: a number without digits");
    while (p_ < end_ && IsDigit(*p_)) ++p_;
  }
  return true;
}

bool Scanner::Literal(std::string_view word) {
  if (static_cast<std::size_t>(end_ - p_) < word.size() ||
      std::memcmp(p_, word.data(), word.size()) != 0)
    return Fail("not JSON: a value is missing");
  p_ += word.size();
  return true;
}

bool Scanner::Object(std::uint32_t depth) {
  if (depth > max_depth_) return Fail("nested too deep");
  ++p_;
  SkipBlanks();
  if (Take('}')) return true;
  for (;;) {
    Token token;
    if (p_ >= end_ || *p_ != '"') return Fail("not JSON: a key is missing");
    if (!String(token)) return false;
    SkipBlanks();
    if (!Take(':')) return Fail("not JSON: a colon is missing");
    SkipBlanks();
    if (!Value(token, depth)) return false;
    SkipBlanks();
    if (Take('}')) return true;
    if (!Take(',')) return Fail("not JSON: an object is not closed");
    SkipBlanks();
  }
}

bool Scanner::Array(std::uint32_t depth) {
  if (depth > max_depth_) return Fail("nested too deep");
  ++p_;
  SkipBlanks();
  if (Take(']')) return true;
  for (;;) {
    Token token;
    if (!Value(token, depth)) return false;
    SkipBlanks();
    if (Take(']')) return true;
    if (!Take(',')) return Fail("not JSON: an array is not closed");
    SkipBlanks();
  }
}

bool Scanner::Value(Token& token, std::uint32_t depth) {
  if (p_ >= end_) return Fail("not JSON: a value is missing");
  const char* const start = p_;
  const char c = *p_;
  bool ok = false;
  switch (c) {
    case '"':
      return String(token);
    case '{':
      ok = Object(depth + 1);
      break;
    case '[':
      ok = Array(depth + 1);
      break;
    case 't':
      ok = Literal("true");
      break;
    case 'f':
      ok = Literal("false");
      break;
    case 'n':
      ok = Literal("null");
      break;
    default:
      ok = Number();
  }
  token.text = {start, static_cast<std::size_t>(p_ - start)};
  token.kind = c == '-' || IsDigit(c) ? '0' : c;
  return ok;
}

}  // namespace millrace::agent::json
