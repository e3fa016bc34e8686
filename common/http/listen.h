#pragma once
// Listening sockets: addresses as Go's net.Listen reads them, and systemd's socket activation.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::http {

struct HostPort {
  std::string host, port;
};
/// "host:port", "[v6]:port", ":port"; the port may be a service name.
[[nodiscard]] Result<HostPort> SplitHostPort(std::string_view address);

struct Listener {
  Fd fd;
  std::string address;     ///< As it was bound: "127.0.0.1:9100".
  std::uint16_t port = 0;  ///< 0 for what has no port.
};

/// host:port (":port" = every interface, IPv4 and IPv6) or vsock://:port.
[[nodiscard]] Result<Listener> Listen(const std::string& address);
/// The sockets of LISTEN_PID / LISTEN_FDS (sd_listen_fds(3)); an error when there are none. The
/// variables are removed from the environment.
[[nodiscard]] Result<std::vector<Listener>> SystemdListeners();

/// "127.0.0.1:40312", "[::1]:40312", "vsock:3:1024", "@" for unix.
[[nodiscard]] std::string AddressText(const sockaddr_storage& address);

}  // namespace millrace::http
