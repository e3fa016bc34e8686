#include "exporters/node/links.h"

#include <algorithm>
#include <array>
#include <optional>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace millrace::node {
namespace {

std::string_view WithoutNul(std::string_view bytes) { return bytes.substr(0, bytes.find('\0')); }

void HardwareAddress(std::string_view bytes, std::string& out) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out.clear();
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (!out.empty()) out += ':';
    out += kHex[u >> 4];
    out += kHex[u & 15];
  }
}

}  // namespace

Status LinkTable::Read() {
  count_ = 0;
  return socket_.Dump(RTM_GETLINK, AF_UNSPEC, [this](const nlmsghdr& m) { Add(m); });
}

void LinkTable::Add(const nlmsghdr& message) {
  const auto* info = FixedPart<ifinfomsg>(message);
  if (info == nullptr || message.nlmsg_type != RTM_NEWLINK) return;
  if (count_ == links_.size()) links_.emplace_back();
  NetworkLink& l = links_[count_++];
  l.name.clear();
  l.alias.clear();
  l.address.clear();
  l.broadcast.clear();
  l.other_names.clear();
  l.index = info->ifi_index;
  l.flags = info->ifi_flags;
  l.type = info->ifi_type;
  l.linked_index = 0;
  l.mtu = l.queue_length = l.group = l.operational_state = l.link_mode = l.carrier = 0;
  l.carrier_changes = l.carrier_up = l.carrier_down = 0;
  l.has_statistics = false;
  ForEachAttribute(message, sizeof(ifinfomsg), [&](unsigned type, std::string_view bytes) {
    const auto number = [&] { return AttributeValue<std::uint32_t>(bytes); };
    const auto byte = [&] { return AttributeValue<std::uint8_t>(bytes); };
    switch (type) {
      case IFLA_IFNAME:
        l.name.assign(WithoutNul(bytes));
        break;
      case IFLA_IFALIAS:
        l.alias.assign(WithoutNul(bytes));
        break;
      case IFLA_ADDRESS:
        HardwareAddress(bytes, l.address);
        break;
      case IFLA_BROADCAST:
        HardwareAddress(bytes, l.broadcast);
        break;
      case IFLA_LINK:
        l.linked_index = static_cast<int>(number());
        break;
      case IFLA_MTU:
        l.mtu = number();
        break;
      case IFLA_TXQLEN:
        l.queue_length = number();
        break;
      case IFLA_GROUP:
        l.group = number();
        break;
      case IFLA_OPERSTATE:
        l.operational_state = byte();
        break;
      case IFLA_LINKMODE:
        l.link_mode = byte();
        break;
      case IFLA_CARRIER:
        l.carrier = byte();
        break;
      case IFLA_CARRIER_CHANGES:
        l.carrier_changes = number();
        break;
      case IFLA_CARRIER_UP_COUNT:
        l.carrier_up = number();
        break;
      case IFLA_CARRIER_DOWN_COUNT:
        l.carrier_down = number();
        break;
      case IFLA_STATS64:
        l.statistics = {};  // an older kernel's structure is shorter than ours
        bytes.copy(static_cast<char*>(static_cast<void*>(&l.statistics)), sizeof l.statistics);
        l.has_statistics = true;
        break;
      case IFLA_PROP_LIST:
        while (bytes.size() >= sizeof(rtattr)) {
          const auto header = AttributeValue<rtattr>(bytes);
          if (header.rta_len < sizeof(rtattr) || header.rta_len > bytes.size()) break;
          if (header.rta_type == IFLA_ALT_IFNAME)
            l.other_names.emplace_back(
                WithoutNul(bytes.substr(sizeof(rtattr), header.rta_len - sizeof(rtattr))));
          bytes.remove_prefix(std::min<std::size_t>(bytes.size(), (header.rta_len + 3U) & ~3U));
        }
        break;
      default:
        break;
    }
  });
}

std::optional<LinkMode> LinkModeOf(const std::string& name) {
  const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return std::nullopt;
  // The first call asks how many words the kernel's masks have, the second one fills them.
  constexpr std::size_t kMasks = std::size_t{3} * 127 * sizeof(std::uint32_t);
  alignas(ethtool_link_settings) std::array<char, sizeof(ethtool_link_settings) + kMasks> room{};
  auto& settings = *static_cast<ethtool_link_settings*>(static_cast<void*>(room.data()));
  ifreq r{};
  name.copy(r.ifr_name, IFNAMSIZ - 1);
  r.ifr_data = room.data();
  settings.cmd = ETHTOOL_GLINKSETTINGS;
  if (::ioctl(fd.get(), SIOCETHTOOL, &r) != 0) return std::nullopt;
  const int words = -settings.link_mode_masks_nwords;
  if (words <= 0 || words > 127) return std::nullopt;
  settings.cmd = ETHTOOL_GLINKSETTINGS;
  settings.link_mode_masks_nwords = static_cast<std::int8_t>(words);
  if (::ioctl(fd.get(), SIOCETHTOOL, &r) != 0) return std::nullopt;
  LinkMode mode;
  constexpr std::uint32_t kUnknown = 0xFFFFFFFF;
  if (settings.speed != kUnknown) mode.megabits = settings.speed;
  mode.duplex = settings.duplex == DUPLEX_FULL   ? "Full"
                : settings.duplex == DUPLEX_HALF ? "Half"
                                                 : "Unknown";
  return mode;
}

}  // namespace millrace::node
