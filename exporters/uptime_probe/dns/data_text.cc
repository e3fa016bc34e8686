// The presentation form of record data: RFC 1035, 2782 (SRV), 3403 (NAPTR), 3596 (AAAA), 4034
// (DNSSEC), 4255 (SSHFP), 5155 (NSEC3), 6698 (TLSA), 7553 (URI), 8659 (CAA), 9460 (SVCB).
#include <array>
#include <ctime>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/dns/names.h"
#include "exporters/uptime_probe/dns/reader.h"

namespace millrace::uptime_probe::dns {
namespace {

std::string Address(int family, std::string_view bytes, std::size_t size) {
  if (bytes.size() != size) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

std::string Strings(Reader& r) {
  std::string out;
  while (r.left() > 0) {
    if (!out.empty()) out += ' ';
    out += QuotedText(r.String());
  }
  return out;
}

/// RFC 4034 4.1.2
std::string TypeBitmap(Reader& r) {
  std::string out;
  while (r.left() > 0) {
    const unsigned window = r.U8();
    const auto bits = r.String();
    for (std::size_t i = 0; i < bits.size() * 8; ++i)
      if ((static_cast<std::uint8_t>(bits[i / 8]) & (0x80U >> (i % 8))) != 0)
        out += " " + TypeName(static_cast<std::uint16_t>(window << 8 | i));
  }
  return out;
}

std::string Time(std::uint32_t seconds) {
  const auto t = static_cast<std::time_t>(seconds);
  std::tm tm{};
  ::gmtime_r(&t, &tm);
  return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                     tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/// RFC 4648 section 7, upper case, without padding.
std::string Base32Hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
  std::string out;
  unsigned buffer = 0, bits = 0;
  for (const char c : bytes) {
    buffer = buffer << 8 | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += kDigits[buffer >> bits & 31];
    }
    buffer &= (1U << bits) - 1;
  }
  if (bits > 0) out += kDigits[buffer << (5 - bits) & 31];
  return out;
}

std::string Salt(std::string_view salt) { return salt.empty() ? "-" : Hex(salt, true); }

std::string ServiceValue(std::uint16_t key, std::string_view value) {
  Reader r(value, 0, value.size());
  std::string out;
  const auto list = [&out](const std::string& item) {
    if (!out.empty()) out += ',';
    out += item;
  };
  switch (key) {
    case 0:
      while (r.left() > 0) list(fmt::format("key{}", r.U16()));
      return out;
    case 1:
      while (r.left() > 0) list(std::string(r.String()));
      return out;
    case 3:
      return std::to_string(r.U16());
    case 4:
      while (r.left() > 0) list(Address(AF_INET, r.Bytes(4), 4));
      return out;
    case 5:
      return Base64Encode(value);
    case 6:
      while (r.left() > 0) list(Address(AF_INET6, r.Bytes(16), 16));
      return out;
    default: {
      std::string quoted = QuotedText(value);
      return quoted.substr(1, quoted.size() - 2);
    }
  }
}

std::string Service(Reader& r) {
  static constexpr std::array<std::string_view, 7> kKeys = {
      "mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint"};
  std::string out = fmt::format("{} ", r.U16());
  out += r.Name();
  while (r.left() > 0) {
    const std::uint16_t key = r.U16();
    const auto value = r.Bytes(r.U16());
    if (!r.ok()) break;
    const std::string name =
        key < kKeys.size() ? std::string(kKeys[key]) : fmt::format("key{}", key);
    out += fmt::format(" {}=\"{}\"", name, ServiceValue(key, value));
  }
  return out;
}

}  // namespace

std::string DataText(std::uint16_t type, Reader& r, std::uint32_t& serial) {
  // Numbers are read in statements of their own: the order of arguments is unspecified.
  switch (type) {
    case 1: {
      const auto bytes = r.Bytes(4);
      return Address(AF_INET, bytes, 4);
    }
    case 28: {
      const auto bytes = r.Bytes(16);
      return Address(AF_INET6, bytes, 16);
    }
    case 2:   // NS
    case 3:   // MD
    case 4:   // MF
    case 5:   // CNAME
    case 7:   // MB
    case 8:   // MG
    case 9:   // MR
    case 12:  // PTR
    case 39:  // DNAME
      return r.Name();
    case 6: {
      std::string out = r.Name();
      out += " " + r.Name();
      serial = r.U32();
      out += fmt::format(" {}", serial);
      for (int i = 0; i < 4; ++i) out += fmt::format(" {}", r.U32());
      return out;
    }
    case 14:    // MINFO
    case 17:    // RP
    case 58: {  // TALINK
      std::string out = r.Name();
      return out + " " + r.Name();
    }
    case 15:    // MX
    case 18:    // AFSDB
    case 21:    // RT
    case 36: {  // KX
      const unsigned preference = r.U16();
      return fmt::format("{} {}", preference, r.Name());
    }
    case 13:   // HINFO
    case 16:   // TXT
    case 56:   // NINFO
    case 99:   // SPF
    case 258:  // AVC
    case 261:  // RESINFO
      return Strings(r);
    case 33: {
      const unsigned priority = r.U16(), weight = r.U16(), port = r.U16();
      return fmt::format("{} {} {} {}", priority, weight, port, r.Name());
    }
    case 35: {
      const unsigned order = r.U16(), preference = r.U16();
      const auto flags = r.String(), service = r.String(), regexp = r.String();
      return fmt::format("{} {} {} {} {} {}", order, preference, QuotedText(flags),
                         QuotedText(service), QuotedText(regexp), r.Name());
    }
    case 37: {
      const unsigned kind = r.U16(), tag = r.U16(), algorithm = r.U8();
      return fmt::format("{} {} {} {}", kind, tag, algorithm, Base64Encode(r.Rest()));
    }
    case 43:       // DS
    case 59:       // CDS
    case 32768:    // TA
    case 32769: {  // DLV
      const unsigned tag = r.U16(), algorithm = r.U8(), digest = r.U8();
      return fmt::format("{} {} {} {}", tag, algorithm, digest, Hex(r.Rest(), true));
    }
    case 44: {
      const unsigned algorithm = r.U8(), kind = r.U8();
      return fmt::format("{} {} {}", algorithm, kind, Hex(r.Rest(), true));
    }
    case 24:
    case 46: {
      const std::uint16_t covered = r.U16();
      const unsigned algorithm = r.U8(), labels = r.U8();
      const std::uint32_t ttl = r.U32(), expiration = r.U32(), inception = r.U32();
      const unsigned tag = r.U16();
      const std::string signer = r.Name();
      return fmt::format("{} {} {} {} {} {} {} {} {}", TypeName(covered), algorithm, labels, ttl,
                         Time(expiration), Time(inception), tag, signer, Base64Encode(r.Rest()));
    }
    case 47: {
      std::string out = r.Name();
      return out + TypeBitmap(r);
    }
    case 25:    // KEY
    case 48:    // DNSKEY
    case 60:    // CDNSKEY
    case 57: {  // RKEY
      const unsigned flags = r.U16(), protocol = r.U8(), algorithm = r.U8();
      return fmt::format("{} {} {} {}", flags, protocol, algorithm, Base64Encode(r.Rest()));
    }
    case 49:  // DHCID
    case 61:  // OPENPGPKEY
      return Base64Encode(r.Rest());
    case 50: {
      const unsigned hash = r.U8(), flags = r.U8(), iterations = r.U16();
      const auto salt = r.String(), next = r.String();
      return fmt::format("{} {} {} {} {}{}", hash, flags, iterations, Salt(salt), Base32Hex(next),
                         TypeBitmap(r));
    }
    case 51: {
      const unsigned hash = r.U8(), flags = r.U8(), iterations = r.U16();
      return fmt::format("{} {} {} {}", hash, flags, iterations, Salt(r.String()));
    }
    case 52:
    case 53: {
      const unsigned usage = r.U8(), selector = r.U8(), matching = r.U8();
      return fmt::format("{} {} {} {}", usage, selector, matching, Hex(r.Rest(), false));
    }
    case 62: {
      const std::uint32_t csync_serial = r.U32();
      const unsigned flags = r.U16();
      return fmt::format("{} {}{}", csync_serial, flags, TypeBitmap(r));
    }
    case 63: {
      const std::uint32_t zone_serial = r.U32();
      const unsigned scheme = r.U8(), hash = r.U8();
      return fmt::format("{} {} {} {}", zone_serial, scheme, hash, Hex(r.Rest(), false));
    }
    case 64:
    case 65:
      return Service(r);
    case 256: {
      const unsigned priority = r.U16(), weight = r.U16();
      return fmt::format("{} {} {}", priority, weight, QuotedText(r.Rest()));
    }
    case 257: {
      const unsigned flags = r.U8();
      const auto tag = r.String();
      return fmt::format("{} {} {}", flags, tag, QuotedText(r.Rest()));
    }
    default: {
      const std::size_t size = r.left();
      return fmt::format("\\# {} {}", size, Hex(r.Rest(), false));
    }
  }
}

}  // namespace millrace::uptime_probe::dns
