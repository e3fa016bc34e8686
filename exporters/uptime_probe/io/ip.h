#pragma once
// Internet addresses.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>

namespace millrace::uptime_probe {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  ///< The first 4 for IPv4.
  bool v6 = false;
  std::string zone;  ///< "eth0" of fe80::1%eth0.

  [[nodiscard]] std::string Text() const;
  [[nodiscard]] std::string_view Bytes() const;
  bool operator==(const IpAddress&) const = default;
};

/// "192.0.2.1", "2001:db8::1", "fe80::1%eth0"; ::ffff:192.0.2.1 is the IPv4 address.
[[nodiscard]] std::optional<IpAddress> ParseIp(std::string_view text);
/// Loopback, private, link-local, unique-local, multicast, unspecified and the shared range of
/// RFC 6598: addresses a prober in the open should not be talked into asking.
[[nodiscard]] bool IsInternal(const IpAddress& ip);

/// For bind, connect and sendto.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const;
};
[[nodiscard]] SocketAddress MakeSocketAddress(const IpAddress& ip, std::uint16_t port);
[[nodiscard]] IpAddress FromSocketAddress(const sockaddr_storage& storage);

/// "host:port", "[v6]:port", as Go's net.SplitHostPort: a missing port is nothing.
[[nodiscard]] std::optional<std::pair<std::string, std::string>> SplitHostPort(
    std::string_view text);
/// Adds the brackets of IPv6.
[[nodiscard]] std::string JoinHostPort(std::string_view host, std::string_view port);
/// A number, or the name of a service (/etc/services).
[[nodiscard]] std::optional<std::uint16_t> ParsePort(std::string_view text, const char* protocol);

}  // namespace millrace::uptime_probe
