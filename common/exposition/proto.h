#pragma once
// The four bits of protobuf's wire format that metrics.proto needs, written by hand: a generated
// class would copy every label once more and bring a library of several MB.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace millrace::exposition::proto {

constexpr std::size_t VarintSize(std::uint64_t v) {
  return (static_cast<std::size_t>(std::bit_width(v | 1)) + 6) / 7;
}

inline char* PutVarint(char* out, std::uint64_t v) {
  while (v >= 0x80) {
    *out++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *out++ = static_cast<char>(v);
  return out;
}

/// Key of a length-delimited field and the length. Field numbers up to 15 take one byte.
inline char* PutHeader(char* out, unsigned field, std::size_t size) {
  *out++ = static_cast<char>(field << 3 | 2);
  return PutVarint(out, size);
}

inline char* PutVarintField(char* out, unsigned field, std::uint64_t v) {
  *out++ = static_cast<char>(field << 3);
  return PutVarint(out, v);
}

inline char* PutDouble(char* out, unsigned field, double v) {
  *out++ = static_cast<char>(field << 3 | 1);
  auto bits = std::bit_cast<std::uint64_t>(v);
  for (int i = 0; i < 8; ++i, bits >>= 8) *out++ = static_cast<char>(bits);
  return out;
}

}  // namespace millrace::exposition::proto
