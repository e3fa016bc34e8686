#include "exporters/uptime_probe/io/stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace millrace::uptime_probe {

Status Wait(int fd, WaitFor what, Deadline deadline) {
  pollfd p{fd, static_cast<short>(what == WaitFor::kReadable ? POLLIN : POLLOUT), 0};
  for (;;) {
    // Looked at first: a peer that always has something ready must not outlive the deadline.
    const auto left = Remaining(deadline).count();
    if (left == 0) return Fail(ErrorCode::kTimeout, "deadline exceeded");
    const int n = ::poll(&p, 1, static_cast<int>(std::min<std::int64_t>(left, 1'000'000'000)));
    if (n > 0) return {};
    if (n < 0 && errno != EINTR) return FailErrno("poll", errno);
  }
}

Result<std::size_t> SocketStream::Read(char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t n = ::recv(socket_.get(), buffer, size, 0);
    if (n >= 0) {
      // Data that arrives a byte at a time never waits, so the deadline is looked at here as well.
      if (Clock::now() >= deadline_) return Fail(ErrorCode::kTimeout, "read: deadline exceeded");
      return static_cast<std::size_t>(n);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return FailErrno("read", errno);
    if (auto waited = Wait(socket_.get(), WaitFor::kReadable, deadline_); !waited)
      return tl::make_unexpected(std::move(waited).error().Within("read"));
  }
}

Status SocketStream::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return FailErrno("write", errno);
    if (auto waited = Wait(socket_.get(), WaitFor::kWritable, deadline_); !waited)
      return tl::make_unexpected(std::move(waited).error().Within("write"));
  }
  return {};
}

namespace {

Status FinishConnect(int fd, const sockaddr* address, socklen_t size, Deadline deadline,
                     const std::string& what) {
  if (::connect(fd, address, size) == 0) return {};
  if (errno != EINPROGRESS && errno != EINTR) return FailErrno(what, errno);
  if (auto waited = Wait(fd, WaitFor::kWritable, deadline); !waited)
    return tl::make_unexpected(std::move(waited).error().Within(what));
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return FailErrno(what, error);
  return {};
}

}  // namespace

Result<Fd> ConnectTcp(const IpAddress& ip, std::uint16_t port, const IpAddress* source,
                      Deadline deadline) {
  Fd fd(::socket(ip.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return FailErrno("socket", errno);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (source != nullptr) {
    const SocketAddress from = MakeSocketAddress(*source, 0);
    if (::bind(fd.get(), from.get(), from.size) != 0)
      return FailErrno("bind " + source->Text(), errno);
  }
  const SocketAddress to = MakeSocketAddress(ip, port);
  MILLRACE_TRY(FinishConnect(fd.get(), to.get(), to.size, deadline,
                             "connect " + JoinHostPort(ip.Text(), std::to_string(port))));
  return fd;
}

Result<Fd> ConnectUnix(const std::string& path, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Fail(ErrorCode::kInvalidArgument,
                "connect " + path.substr(0, 40) + "...: path too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  // A leading '@' is Linux' abstract namespace, as in Go.
  if (!path.empty() && path[0] == '@') address.sun_path[0] = '\0';
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return FailErrno("socket", errno);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() +
                                           (!path.empty() && path[0] == '@' ? 0 : 1));
  MILLRACE_TRY(FinishConnect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size, deadline,
                             "connect " + path));
  return fd;
}

}  // namespace millrace::uptime_probe
