#pragma once
// Network interfaces as rtnetlink shows them (RTM_GETLINK).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <linux/if_link.h>

#include "common/base/result.h"
#include "exporters/node/netlink.h"

namespace millrace::node {

struct NetworkLink {
  std::string name, alias, address, broadcast;  ///< Addresses as aa:bb:...
  std::vector<std::string> other_names;
  int index = 0, linked_index = 0;  ///< linked_index: of the device below (VLAN), 0 = none
  unsigned flags = 0, type = 0, mtu = 0, queue_length = 0, group = 0;
  unsigned operational_state = 0, link_mode = 0, carrier = 0;
  unsigned carrier_changes = 0, carrier_up = 0, carrier_down = 0;
  bool has_statistics = false;
  rtnl_link_stats64 statistics{};
};

/// Keeps its memory between reads. Not thread safe.
class LinkTable {
 public:
  [[nodiscard]] Status Read();
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] const NetworkLink& operator[](std::size_t i) const { return links_[i]; }

 private:
  void Add(const nlmsghdr& message);
  RouteSocket socket_;
  std::vector<NetworkLink> links_;
  std::size_t count_ = 0;
};

/// Speed in megabits a second (-1 unknown) and "Half", "Full" or "Unknown", by ioctl(SIOCETHTOOL).
struct LinkMode {
  std::int64_t megabits = -1;
  std::string_view duplex;
};
/// Nothing when the device has no such thing.
[[nodiscard]] std::optional<LinkMode> LinkModeOf(const std::string& name);

}  // namespace millrace::node
