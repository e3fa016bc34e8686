#pragma once
// Reads the wire form of DNS. After the first fault every read answers zero or "" and ok() is
// false, so that a parser checks once at its end.
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::uptime_probe::dns {

class Reader {
 public:
  Reader(std::string_view message, std::size_t at, std::size_t end)
      : message_(message), at_(at), end_(end < message.size() ? end : message.size()) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::size_t left() const { return ok_ ? end_ - at_ : 0; }
  std::uint8_t U8();
  std::uint16_t U16();
  std::uint32_t U32();
  std::string_view Bytes(std::size_t n);
  std::string_view Rest() { return Bytes(left()); }
  /// Fully qualified and escaped; follows compression, which must point backwards.
  std::string Name();
  /// A <character-string>, raw.
  std::string_view String();
  void Fail() { ok_ = false; }

 private:
  std::string_view message_;
  std::size_t at_, end_;
  bool ok_ = true;
};

/// `"..."` with quotes and backslashes escaped and unprintable bytes as \DDD.
[[nodiscard]] std::string QuotedText(std::string_view bytes);
[[nodiscard]] std::string Hex(std::string_view bytes, bool upper);
/// The data of a record as a zone file has it (RFC 3597 for types not known here). Reads up to the
/// end of `r`; `serial` is set for SOA.
[[nodiscard]] std::string DataText(std::uint16_t type, Reader& r, std::uint32_t& serial);

}  // namespace millrace::uptime_probe::dns
