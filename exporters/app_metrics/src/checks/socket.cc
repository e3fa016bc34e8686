#include "exporters/app_metrics/src/checks/socket.h"

#include <cerrno>
#include <memory>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace millrace::app_metrics {
namespace {

Status WaitFor(const Fd& fd, short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Fail(ErrorCode::kTimeout, "timed out");
    pollfd p{fd.get(), events, 0};
    const int n = ::poll(&p, 1, static_cast<int>(left.count()));
    if (n > 0) return {};
    if (n < 0 && errno != EINTR) return FailErrno("poll", errno);
  }
}

Result<Fd> ConnectTo(const addrinfo& a, Deadline deadline) {
  Fd fd(::socket(a.ai_family, a.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a.ai_protocol));
  if (!fd) return FailErrno("socket", errno);
  if (::connect(fd.get(), a.ai_addr, a.ai_addrlen) == 0) return fd;
  if (errno != EINPROGRESS) return FailErrno("connect", errno);
  MILLRACE_TRY(WaitFor(fd, POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return FailErrno("connect", error);
  return fd;
}

}  // namespace

Result<Fd> Connect(const std::string& host, std::uint16_t port, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  if (const int r = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &raw); r != 0)
    return Fail(ErrorCode::kUnavailable, "resolve " + host + ": " + ::gai_strerror(r));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(raw, &::freeaddrinfo);
  Result<Fd> last = Fail(ErrorCode::kUnavailable, "no address");
  for (const addrinfo* a = list.get(); a != nullptr; a = a->ai_next) {
    last = ConnectTo(*a, deadline);
    if (last) return last;
  }
  return last;
}

Status SendAll(const Fd& fd, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    MILLRACE_TRY(WaitFor(fd, POLLOUT, deadline));
    const ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return FailErrno("send", errno);
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> ReceiveLine(const Fd& fd, Deadline deadline) {
  std::string line;
  while (line.size() < 4096) {
    MILLRACE_TRY(WaitFor(fd, POLLIN, deadline));
    char c = 0;  // a reply is a handful of bytes
    const ssize_t n = ::recv(fd.get(), &c, 1, 0);
    if (n == 0) return Fail(ErrorCode::kUnavailable, "connection closed");
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return FailErrno("recv", errno);
    }
    line += c;
    if (line.ends_with("\r\n")) return line.substr(0, line.size() - 2);
  }
  return Fail(ErrorCode::kParse, "reply without an end");
}

}  // namespace millrace::app_metrics
