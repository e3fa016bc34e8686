#include "exporters/uptime_probe/io/ip.h"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include "common/base/strings.h"

namespace millrace::uptime_probe {

std::string_view IpAddress::Bytes() const {
  return {reinterpret_cast<const char*>(bytes.data()), v6 ? 16U : 4U};
}

std::string IpAddress::Text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), text.data(), text.size());
  std::string out = text.data();
  if (!zone.empty()) out += "%" + zone;
  return out;
}

std::optional<IpAddress> ParseIp(std::string_view text) {
  IpAddress ip;
  std::string host(text);
  if (const auto percent = host.find('%'); percent != std::string::npos) {
    ip.zone = host.substr(percent + 1);
    host.resize(percent);
    if (ip.zone.empty()) return std::nullopt;
  }
  if (host.size() > 45) return std::nullopt;
  if (ip.zone.empty() && ::inet_pton(AF_INET, host.c_str(), ip.bytes.data()) == 1) return ip;
  if (::inet_pton(AF_INET6, host.c_str(), ip.bytes.data()) != 1) return std::nullopt;
  static constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0,    0,
                                                           0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), ip.bytes.begin())) {
    std::copy(ip.bytes.begin() + 12, ip.bytes.end(), ip.bytes.begin());
    std::fill(ip.bytes.begin() + 4, ip.bytes.end(), std::uint8_t{0});
    return ip;
  }
  ip.v6 = true;
  return ip;
}

bool IsInternal(const IpAddress& ip) {
  const auto& b = ip.bytes;
  if (!ip.v6) {
    return b[0] == 0 || b[0] == 10 || b[0] == 127 || (b[0] == 100 && (b[1] & 0xc0) == 64) ||
           (b[0] == 169 && b[1] == 254) || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
           (b[0] == 192 && b[1] == 168) || (b[0] == 192 && b[1] == 0 && b[2] == 0) ||
           (b[0] == 198 && (b[1] & 0xfe) == 18) || b[0] >= 224;
  }
  // NAT64, 6to4 and the old IPv4-compatible form carry an IPv4 address inside.
  const auto embedded = [&b](std::size_t at) {
    IpAddress v4;
    std::copy_n(b.begin() + static_cast<std::ptrdiff_t>(at), 4, v4.bytes.begin());
    return IsInternal(v4);
  };
  static constexpr std::array<std::uint8_t, 12> kNat64 = {0, 0x64, 0xff, 0x9b};
  if (std::equal(kNat64.begin(), kNat64.end(), b.begin())) return embedded(12);
  if (b[0] == 0x20 && b[1] == 0x02) return embedded(2);
  if (std::all_of(b.begin(), b.begin() + 12, [](auto x) { return x == 0; })) return true;
  return (b[0] & 0xfe) == 0xfc || b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0x80) == 0x80);
}

const sockaddr* SocketAddress::get() const { return reinterpret_cast<const sockaddr*>(&storage); }

SocketAddress MakeSocketAddress(const IpAddress& ip, std::uint16_t port) {
  SocketAddress out;
  if (ip.v6) {
    sockaddr_in6 a{};
    a.sin6_family = AF_INET6;
    a.sin6_port = htons(port);
    std::memcpy(&a.sin6_addr, ip.bytes.data(), 16);
    if (!ip.zone.empty()) {
      a.sin6_scope_id = ::if_nametoindex(ip.zone.c_str());
      if (a.sin6_scope_id == 0) a.sin6_scope_id = ParseNumber<std::uint32_t>(ip.zone).value_or(0);
    }
    std::memcpy(&out.storage, &a, sizeof a);
    out.size = sizeof a;
  } else {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    std::memcpy(&a.sin_addr, ip.bytes.data(), 4);
    std::memcpy(&out.storage, &a, sizeof a);
    out.size = sizeof a;
  }
  return out;
}

IpAddress FromSocketAddress(const sockaddr_storage& storage) {
  IpAddress ip;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 a{};
    std::memcpy(&a, &storage, sizeof a);
    std::memcpy(ip.bytes.data(), &a.sin6_addr, 16);
    ip.v6 = true;
  } else {
    sockaddr_in a{};
    std::memcpy(&a, &storage, sizeof a);
    std::memcpy(ip.bytes.data(), &a.sin_addr, 4);
  }
  return ip;
}

std::optional<std::pair<std::string, std::string>> SplitHostPort(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (!host.empty() && host.front() == '[') {
    if (host.back() != ']') return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  if (host.find_first_of("[]") != std::string_view::npos ||
      port.find_first_of("[]") != std::string_view::npos)
    return std::nullopt;
  return std::pair<std::string, std::string>(host, port);
}

std::string JoinHostPort(std::string_view host, std::string_view port) {
  std::string out;
  const bool v6 = host.find(':') != std::string_view::npos;
  if (v6) out += '[';
  out += host;
  if (v6) out += ']';
  out += ':';
  out += port;
  return out;
}

std::optional<std::uint16_t> ParsePort(std::string_view text, const char* protocol) {
  if (text.empty()) return std::uint16_t{0};
  if (const auto number = ParseNumber<std::uint16_t>(text)) return number;
  if (text.find_first_not_of("0123456789") == std::string_view::npos) return std::nullopt;
  servent entry{};
  servent* found = nullptr;
  std::array<char, 4096> buffer{};
  const std::string name(text);
  if (::getservbyname_r(name.c_str(), protocol, &entry, buffer.data(), buffer.size(), &found) !=
          0 ||
      found == nullptr)
    return std::nullopt;
  return ntohs(static_cast<std::uint16_t>(found->s_port));
}

}  // namespace millrace::uptime_probe
