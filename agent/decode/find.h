#pragma once
// Searching short texts. Nothing here reads behind `end`.
#include <bit>
#include <cstddef>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::agent {

/// The first `c` in [p, end), or `end`. Inline: words are short, a call to memchr costs as much.
inline const char* FindByte(const char* p, const char* end, char c) {
#ifdef __SSE2__
  const __m128i wanted = _mm_set1_epi8(c);
  while (end - p >= 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, wanted)));
    if (mask != 0) return p + std::countr_zero(mask);
    p += 16;
  }
#endif
  while (p < end && *p != c) ++p;
  return p;
}

inline std::string_view Slice(const char* from, const char* to) {
  return {from, static_cast<std::size_t>(to - from)};
}

}  // namespace millrace::agent
