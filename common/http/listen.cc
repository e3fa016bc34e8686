#include "common/http/listen.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/types.h>
#include <unistd.h>
// After sys/socket.h, which it needs.
#include <linux/vm_sockets.h>

#include "common/base/strings.h"

namespace millrace::http {

namespace {

constexpr int kFirstPassedFd = 3;  // SD_LISTEN_FDS_START
constexpr int kBacklog = 1024;

tl::unexpected<Error> BadAddress(const std::string& address, std::string why) {
  return Fail(ErrorCode::kInvalidArgument, "listen tcp: address " + address + ": " + why);
}

Result<Listener> Finish(Fd fd, const std::string& wanted) {
  if (::listen(fd.get(), kBacklog) != 0) return FailErrno("listen tcp " + wanted, errno);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    return FailErrno("getsockname " + wanted, errno);
  Listener l{std::move(fd), AddressText(bound), 0};
  if (bound.ss_family == AF_INET)
    l.port = ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
  if (bound.ss_family == AF_INET6)
    l.port = ntohs(reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port);
  return l;
}

Result<Listener> Bind(const sockaddr* address, socklen_t size, const std::string& wanted) {
  Fd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return FailErrno("socket for " + wanted, errno);
  const int one = 1, zero = 0;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (address->sa_family == AF_INET6)  // [::] serves IPv4 too
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  if (::bind(fd.get(), address, size) != 0)
    return FailErrno("listen tcp " + wanted + ": bind", errno);
  return Finish(std::move(fd), wanted);
}

Result<Listener> ListenVsock(const std::string& address) {
  const std::string_view rest = std::string_view(address).substr(std::strlen("vsock://"));
  MILLRACE_ASSIGN(const HostPort split, SplitHostPort(rest));
  const auto port = ParseNumber<std::uint32_t>(split.port);
  if (!port || !split.host.empty())
    return Fail(ErrorCode::kInvalidArgument,
                "listen vsock: address " + address + ": write vsock://:PORT");
  sockaddr_vm vm{};
  vm.svm_family = AF_VSOCK;
  vm.svm_port = *port;
  vm.svm_cid = VMADDR_CID_ANY;
  return Bind(reinterpret_cast<const sockaddr*>(&vm), sizeof vm, address);
}

}  // namespace

Result<HostPort> SplitHostPort(std::string_view address) {
  const std::string text(address);
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) return BadAddress(text, "missing port in address");
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return BadAddress(text, "missing ] or port in address");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos && !host.starts_with("unix")) {
    return BadAddress(text, "too many colons in address (write [v6]:port)");
  }
  return HostPort{std::string(host), std::string(address.substr(colon + 1))};
}

std::string AddressText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(in.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
      inet_ntop(AF_INET, in.sin6_addr.s6_addr + 12, text, sizeof text);
      return std::string(text) + ":" + std::to_string(ntohs(in.sin6_port));
    }
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(in.sin6_port));
  }
  if (address.ss_family == AF_VSOCK) {
    const auto& vm = reinterpret_cast<const sockaddr_vm&>(address);
    return "vsock:" + std::to_string(vm.svm_cid) + ":" + std::to_string(vm.svm_port);
  }
  return "@";
}

Result<Listener> Listen(const std::string& address) {
  if (address.starts_with("vsock://")) return ListenVsock(address);
  // Go takes "" for any free port of every interface.
  MILLRACE_ASSIGN(const HostPort split, SplitHostPort(address.empty() ? ":0" : address));
  if (const auto number = ParseNumber<std::uint64_t>(split.port); number && *number > 65535)
    return Fail(ErrorCode::kInvalidArgument,
                "listen tcp: address " + split.port + ": invalid port");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string host = split.host;
  const std::string port = split.port.empty() ? "0" : split.port;
  const int rc = getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
  if (rc != 0)
    return Fail(ErrorCode::kInvalidArgument,
                "listen tcp: lookup " + host + " port " + port + ": " + gai_strerror(rc));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, freeaddrinfo);
  // Every interface: one IPv6 socket serves both families. A name: IPv4 first, as Go prefers.
  const int first = host.empty() ? AF_INET6 : AF_INET;
  std::optional<Error> error;
  for (const int family : {first, first == AF_INET ? AF_INET6 : AF_INET}) {
    for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
      if (a->ai_family != family) continue;
      auto listener = Bind(a->ai_addr, a->ai_addrlen, address);
      if (listener) return listener;
      if (!error) error = std::move(listener.error());
      if (!host.empty()) return tl::unexpected(*error);
    }
  }
  if (error) return tl::unexpected(*error);
  return Fail(ErrorCode::kInvalidArgument, "listen tcp: " + address + ": no address");
}

Result<std::vector<Listener>> SystemdListeners() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* fds = std::getenv("LISTEN_FDS");
  int count = 0;
  if (pid != nullptr && fds != nullptr &&
      ParseNumber<long>(pid) == std::optional<long>(::getpid())) {
    count = ParseNumber<int>(fds).value_or(0);
  }
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  std::vector<Listener> listeners;
  for (int i = 0; i < count && i < 1024; ++i) {
    const int fd = kFirstPassedFd + i;
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0)
      return Fail(ErrorCode::kInvalidArgument,
                  "descriptor " + std::to_string(fd) + " of systemd is not a listening socket");
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    MILLRACE_ASSIGN(Listener l, Finish(Fd(fd), "systemd socket"));
    listeners.push_back(std::move(l));
  }
  if (listeners.empty())
    return Fail(ErrorCode::kNotFound, "no socket activation file descriptors found");
  return listeners;
}

}  // namespace millrace::http
