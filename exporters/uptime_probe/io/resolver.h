#pragma once
// Names to addresses without getaddrinfo: that one cannot be given a deadline and needs a thread
// for every lookup that hangs. Reads /etc/hosts and /etc/resolv.conf (again when they change), asks
// A and AAAA at the same time over UDP, over TCP when an answer was cut. NSS modules (LDAP, mDNS)
// are not asked, as in the original's static build.
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "exporters/uptime_probe/io/deadline.h"
#include "exporters/uptime_probe/io/ip.h"

namespace millrace::uptime_probe {

enum class IpFamily : unsigned char { kAny, kV4, kV6 };

/// Where a Resolver finds its files; tests point it at their own.
struct ResolverPaths {
  std::string hosts = "/etc/hosts", resolv_conf = "/etc/resolv.conf";
};

/// At least one address. kNotFound when the name has none, kTimeout, kUnavailable when no server
/// answered. Thread safe.
[[nodiscard]] Result<std::vector<IpAddress>> ResolveHost(std::string_view host, IpFamily family,
                                                         Deadline deadline,
                                                         const ResolverPaths& paths = {});

/// The pieces, for tests.
struct ResolvConf {
  std::vector<SocketAddress> servers;
  std::vector<std::string> search;
  int ndots = 1, attempts = 2;
  std::chrono::milliseconds timeout{5000};
};
[[nodiscard]] ResolvConf ParseResolvConf(std::string_view text);
[[nodiscard]] std::vector<IpAddress> FindInHosts(std::string_view hosts_file,
                                                 std::string_view host);

}  // namespace millrace::uptime_probe
