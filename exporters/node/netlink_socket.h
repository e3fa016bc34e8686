#pragma once
// Requests to the kernel over netlink(7), any protocol: sock_diag(7), generic netlink, rtnetlink.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <linux/netlink.h>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::node {

/// Opens its socket at the first request, keeps it and its buffer. Not thread safe.
class NetlinkSocket {
 public:
  explicit NetlinkSocket(int protocol) : protocol_(protocol) {}

  /// Sends one request (flags beside NLM_F_REQUEST) and calls visit(type, payload) for every
  /// message of the answer, up to its end. Waits for the kernel at most a second per message.
  [[nodiscard]] Status Request(
      std::uint16_t type, std::uint16_t flags, std::string_view payload,
      const std::function<void(std::uint16_t type, std::string_view payload)>& visit);

 private:
  [[nodiscard]] Status Open();
  const int protocol_;
  Fd fd_;
  std::string buffer_, message_;
  std::uint32_t sequence_ = 0;
};

/// Calls visit(type, value) for each attribute in `bytes`; stops at a broken one.
template <class Visit>
void EachAttribute(std::string_view bytes, Visit&& visit) {
  while (bytes.size() >= sizeof(nlattr)) {
    nlattr a{};
    bytes.copy(static_cast<char*>(static_cast<void*>(&a)), sizeof a);
    if (a.nla_len < sizeof(nlattr) || a.nla_len > bytes.size()) return;
    visit(static_cast<unsigned>(a.nla_type & NLA_TYPE_MASK),
          bytes.substr(sizeof(nlattr), a.nla_len - sizeof(nlattr)));
    bytes.remove_prefix(std::min<std::size_t>(NLA_ALIGN(a.nla_len), bytes.size()));
  }
}

/// The start of `bytes` as a T; zeroes where it is too short.
template <class T>
[[nodiscard]] T StructAt(std::string_view bytes) {
  T value{};
  bytes.copy(static_cast<char*>(static_cast<void*>(&value)), sizeof value);
  return value;
}

/// The bytes of a T, for requests.
template <class T>
[[nodiscard]] std::string_view BytesOf(const T& value) {
  return {static_cast<const char*>(static_cast<const void*>(&value)), sizeof value};
}

void AppendAttribute(std::string& out, std::uint16_t type, std::string_view value);

}  // namespace millrace::node
