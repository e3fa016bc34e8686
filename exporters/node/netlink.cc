#include "exporters/node/netlink.h"

#include <cerrno>

#include <sys/socket.h>
#include <sys/time.h>

namespace millrace::node {
namespace {

constexpr std::size_t kBuffer = 32768;  // the kernel fills no more into one datagram

}  // namespace

Status RouteSocket::Open() {
  if (fd_) return {};
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return FailErrno("netlink socket", errno);
  const timeval second{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  fd_ = std::move(fd);
  buffer_.resize(kBuffer);
  return {};
}

Status RouteSocket::Dump(std::uint16_t type, unsigned char family,
                         const std::function<void(const nlmsghdr&)>& visit) {
  MILLRACE_TRY(Open());
  // A link message's fixed part is the longest; the kernel reads only the family of the others.
  struct {
    nlmsghdr header;
    ifinfomsg body;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = ++sequence_;
  request.body.ifi_family = family;
  if (::send(fd_.get(), &request, sizeof request, 0) < 0) {
    const int error = errno;
    fd_.Reset();
    return FailErrno("netlink send", error);
  }
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = errno;
      fd_.Reset();  // what still arrives belongs to a request that is given up
      return FailErrno("netlink receive", error);
    }
    const auto size = static_cast<std::size_t>(n);
    for (std::size_t at = 0; at + sizeof(nlmsghdr) <= size;) {
      const auto& m = *static_cast<const nlmsghdr*>(static_cast<const void*>(&buffer_[at]));
      if (m.nlmsg_len < sizeof(nlmsghdr) || at + m.nlmsg_len > size) break;
      at += (m.nlmsg_len + 3U) & ~std::size_t{3};
      if (m.nlmsg_seq != sequence_) continue;
      if (m.nlmsg_type == NLMSG_DONE) return {};
      if (m.nlmsg_type == NLMSG_ERROR) {
        const auto* e = FixedPart<nlmsgerr>(m);
        return FailErrno("netlink", e != nullptr ? -e->error : EPROTO);
      }
      visit(m);
    }
  }
}

}  // namespace millrace::node
