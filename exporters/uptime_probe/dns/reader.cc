#include "exporters/uptime_probe/dns/reader.h"

#include <fmt/format.h>

namespace millrace::uptime_probe::dns {

std::uint8_t Reader::U8() {
  const auto b = Bytes(1);
  return b.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(b[0]);
}

std::uint16_t Reader::U16() {
  const unsigned high = U8();
  return static_cast<std::uint16_t>(high << 8 | U8());
}

std::uint32_t Reader::U32() {
  const std::uint32_t high = U16();
  return high << 16 | U16();
}

std::string_view Reader::Bytes(std::size_t n) {
  if (!ok_ || n > end_ - at_) {
    ok_ = false;
    return {};
  }
  const auto bytes = message_.substr(at_, n);
  at_ += n;
  return bytes;
}

std::string_view Reader::String() { return Bytes(U8()); }

namespace {

void AppendLabel(std::string& out, std::string_view label) {
  static constexpr std::string_view kSpecial = ".  '@;()\"\\";
  for (const char c : label) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u > 0x7e) {
      out += fmt::format("\\{:03}", u);
    } else {
      if (kSpecial.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  out += '.';
}

}  // namespace

std::string Reader::Name() {
  std::string out;
  std::size_t at = at_, length = 0;
  std::size_t resume = 0;   // behind the first pointer
  std::size_t limit = at_;  // a pointer must go before the place it was met
  std::size_t end = end_;
  while (ok_) {
    if (at >= end) {
      ok_ = false;
      break;
    }
    const auto n = static_cast<std::uint8_t>(message_[at]);
    if ((n & 0xc0) == 0xc0) {
      if (at + 1 >= end) {
        ok_ = false;
        break;
      }
      const std::size_t target =
          static_cast<std::size_t>(n & 0x3f) << 8 | static_cast<std::uint8_t>(message_[at + 1]);
      if (resume == 0) resume = at + 2;
      if (target >= limit) {
        ok_ = false;
        break;
      }
      limit = target;
      at = target;
      end = message_.size();
      continue;
    }
    if ((n & 0xc0) != 0 || at + 1 + n > end) {
      ok_ = false;
      break;
    }
    ++at;
    if (n == 0) {
      at_ = resume != 0 ? resume : at;
      break;
    }
    length += n + 1U;
    if (length > 254) {
      ok_ = false;
      break;
    }
    AppendLabel(out, message_.substr(at, n));
    at += n;
  }
  if (!ok_) return {};
  return out.empty() ? "." : out;
}

std::string QuotedText(std::string_view bytes) {
  std::string out = "\"";
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u < 0x20 || u > 0x7e) {
      out += fmt::format("\\{:03}", u);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Hex(std::string_view bytes, bool upper) {
  std::string out;
  for (const char c : bytes)
    out += upper ? fmt::format("{:02X}", static_cast<unsigned char>(c))
                 : fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace millrace::uptime_probe::dns
