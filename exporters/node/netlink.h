#pragma once
// Dumps of the kernel's routing tables over rtnetlink(7): links, neighbours, routes.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::node {

/// Keeps its socket and its buffer. Not thread safe.
class RouteSocket {
 public:
  /// Sends `type` (RTM_GETLINK, RTM_GETNEIGH ...) for `family` and calls visit for every message
  /// of the answer. Waits for the kernel at most a second.
  [[nodiscard]] Status Dump(std::uint16_t type, unsigned char family,
                            const std::function<void(const nlmsghdr&)>& visit);

 private:
  [[nodiscard]] Status Open();
  Fd fd_;
  std::vector<char> buffer_;
  std::uint32_t sequence_ = 0;
};

/// Calls visit(type, bytes) for the attributes behind the fixed part of a message.
template <class Visit>
void ForEachAttribute(const nlmsghdr& message, std::size_t fixed, Visit&& visit) {
  constexpr std::size_t kHeader = sizeof(rtattr);
  const auto aligned = [](std::size_t n) { return (n + 3) & ~std::size_t{3}; };
  const char* base = static_cast<const char*>(static_cast<const void*>(&message));
  std::size_t at = aligned(sizeof(nlmsghdr) + fixed);
  while (at + kHeader <= message.nlmsg_len) {
    const auto* a = static_cast<const rtattr*>(static_cast<const void*>(base + at));
    if (a->rta_len < kHeader || at + a->rta_len > message.nlmsg_len) return;
    constexpr unsigned kFlags = 0xC000;  // nested, byte order
    visit(a->rta_type & ~kFlags, std::string_view(base + at + kHeader, a->rta_len - kHeader));
    at += aligned(a->rta_len);
  }
}

/// The fixed part of a message, or nullptr when it is too short.
template <class T>
const T* FixedPart(const nlmsghdr& message) {
  // Not NLMSG_DATA and NLMSG_LENGTH: those macros cast as C does.
  if (message.nlmsg_len < sizeof(nlmsghdr) + sizeof(T)) return nullptr;
  return static_cast<const T*>(static_cast<const void*>(&message + 1));
}

/// The number in an attribute's bytes; 0 when they are too few.
template <class T>
T AttributeValue(std::string_view bytes) {
  T value{};
  if (bytes.size() >= sizeof(T))
    bytes.copy(static_cast<char*>(static_cast<void*>(&value)), sizeof(T));
  return value;
}

}  // namespace millrace::node
