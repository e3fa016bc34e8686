#include "exporters/node/netlink_socket.h"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace millrace::node {
namespace {

// The kernel fills at most 32 KiB of a dump at once.
constexpr std::size_t kBufferBytes = 32768;

}  // namespace

void AppendAttribute(std::string& out, std::uint16_t type, std::string_view value) {
  const nlattr a{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
  out.append(BytesOf(a)).append(value);
  out.resize(NLA_ALIGN(out.size()));
}

Status NetlinkSocket::Open() {
  fd_ = Fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol_));
  if (!fd_) return FailErrno("netlink socket", errno);
  const timeval limit{1, 0};
  if (::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
    return FailErrno("netlink socket", errno);
  buffer_.resize(kBufferBytes);
  return {};
}

Status NetlinkSocket::Request(std::uint16_t type, std::uint16_t flags, std::string_view payload,
                              const std::function<void(std::uint16_t, std::string_view)>& visit) {
  if (!fd_) MILLRACE_TRY(Open());
  const auto give_up = [this](int error) {
    fd_.Reset();  // what is still to come must not be taken for a later answer
    return FailErrno("netlink", error);
  };
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(payload.size()));
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = ++sequence_;
  message_.assign(BytesOf(header)).append(payload);
  if (::send(fd_.get(), message_.data(), message_.size(), 0) < 0) return give_up(errno);
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return give_up(errno == EAGAIN ? ETIMEDOUT : errno);
    std::string_view rest(buffer_.data(), static_cast<std::size_t>(n));
    while (rest.size() >= sizeof(nlmsghdr)) {
      const auto h = StructAt<nlmsghdr>(rest);
      if (h.nlmsg_len < sizeof(nlmsghdr) || h.nlmsg_len > rest.size()) return give_up(EBADMSG);
      const std::string_view body = rest.substr(NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN);
      rest.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(h.nlmsg_len), rest.size()));
      if (h.nlmsg_seq != sequence_) continue;
      if (h.nlmsg_type == NLMSG_DONE) return {};
      if (h.nlmsg_type == NLMSG_ERROR) {
        const int error = -StructAt<nlmsgerr>(body).error;
        if (error != 0) return FailErrno("netlink", error);
        return {};
      }
      visit(h.nlmsg_type, body);
      if ((h.nlmsg_flags & NLM_F_MULTI) == 0) return {};
    }
  }
}

}  // namespace millrace::node
