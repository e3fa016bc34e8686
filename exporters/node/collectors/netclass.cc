#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <net/if.h>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/links.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Attributes of class/net/<device> that are numbers, as
// Documentation/ABI/testing/sysfs-class-net lists them.
struct Attribute {
  std::string_view file;
  Metric metric;
};
constexpr std::array<Attribute, 17> kAttributes = {{
    {"addr_assign_type",
     {"node_network_address_assign_type", kGauge, "How the device got its address."}},
    {"carrier", {"node_network_carrier", kGauge, "1 when the device has a carrier."}},
    {"carrier_changes",
     {"node_network_carrier_changes_total", kCounter, "Times the carrier changed."}},
    {"carrier_up_count",
     {"node_network_carrier_up_changes_total", kCounter, "Times the carrier came."}},
    {"carrier_down_count",
     {"node_network_carrier_down_changes_total", kCounter, "Times the carrier went."}},
    {"dev_id", {"node_network_device_id", kGauge, "Number of a device that shares an address."}},
    {"dormant", {"node_network_dormant", kGauge, "1 when the device waits for something."}},
    {"flags", {"node_network_flags", kGauge, "Flags of the device, as a number."}},
    {"ifindex", {"node_network_iface_id", kGauge, "Number of the device."}},
    {"iflink", {"node_network_iface_link", kGauge, "Number of the device below."}},
    {"link_mode", {"node_network_iface_link_mode", kGauge, "Mode of the link."}},
    {"mtu", {"node_network_mtu_bytes", kGauge, "Largest packet of the device."}},
    {"name_assign_type", {"node_network_name_assign_type", kGauge, "How the device got its name."}},
    {"netdev_group", {"node_network_net_dev_group", kGauge, "Group of the device."}},
    {"speed", {"node_network_speed_bytes", kGauge, "Speed of the link, in bytes a second."}},
    {"tx_queue_len", {"node_network_transmit_queue_length", kGauge, "Packets the queue may hold."}},
    {"type", {"node_network_protocol_type", kGauge, "Type of the device (ARPHRD_*)."}},
}};
constexpr std::size_t kDeviceId = 5;
constexpr std::size_t kFlags = 7;
constexpr std::size_t kNameAssign = 12;
constexpr std::size_t kSpeed = 14;

constexpr std::string_view kUpHelp = "1 when the operational state is up.";
constexpr std::string_view kInfoHelp = "Always 1; what a network device is.";

struct Device {
  std::uint64_t inode = 0;
  std::string name, address, broadcast, duplex, state, alias;
  std::array<std::optional<double>, kAttributes.size()> values;
};

std::optional<std::int64_t> AnyBase(std::string_view text) {
  if (text.starts_with("0x")) return ParseNumber<std::int64_t>(text.substr(2), 16);
  return ParseNumber<std::int64_t>(text);
}

// Whole bytes, as the original: -1 (unknown) becomes -125000.
double SpeedBytes(std::int64_t megabits) { return static_cast<double>(megabits * 1000 * 1000 / 8); }

class Netclass : public Collector {
 public:
  Netclass(const Context& context, NameFilter ignored)
      : root_(context.paths.Sys("class/net")),
        skip_bad_speed_(context.flags.GetSwitch("collector.netclass.ignore-invalid-speed")),
        netlink_(context.flags.GetSwitch("collector.netclass.netlink")),
        statistics_(context.flags.GetSwitch("collector.netclass_rtnl.with-stats")),
        ignored_(std::move(ignored)) {}

  Status Collect(MetricWriter& out) override {
    count_ = 0;
    MILLRACE_TRY(netlink_ ? FromNetlink() : FromSysfs());
    out.Family("node_network_up", kGauge, kUpHelp);
    for (std::size_t i = 0; i < count_; ++i)
      out.Sample({{"device", devices_[i].name}}, devices_[i].state == "up" ? 1 : 0);
    for (std::size_t a = 0; a < kAttributes.size(); ++a) {
      out.Family(kAttributes[a].metric);
      for (std::size_t i = 0; i < count_; ++i)
        if (devices_[i].values[a])
          out.Sample({{"device", devices_[i].name}}, *devices_[i].values[a]);
    }
    WriteInfo(out);
    if (netlink_) WriteNetlinkOnly(out);
    return {};
  }

 private:
  Device& Next(std::string_view name) {
    if (count_ == devices_.size()) devices_.emplace_back();
    Device& d = devices_[count_++];
    d.name.assign(name);
    d.values.fill(std::nullopt);
    return d;
  }

  // An attribute that this device does not have or cannot tell is left out.
  Result<std::optional<std::string_view>> Read(const Device& d, std::string_view file) {
    const auto text = files_.Try(JoinPath(path_, {root_, d.name, file}));
    if (text) return text;
    switch (files_.last_errno()) {
      case ENOENT:
      case EACCES:
      case EPERM:
      case EINVAL:
      case EOPNOTSUPP:
        return std::nullopt;
      default:
        return FailErrno("read " + path_, files_.last_errno());
    }
  }

  Status Number(Device& d, std::size_t attribute) {
    MILLRACE_ASSIGN(const auto text, Read(d, kAttributes[attribute].file));
    if (!text) return {};
    const auto value = AnyBase(*text);
    if (!value) return {};
    if (attribute != kSpeed) {
      d.values[attribute] = static_cast<double>(*value);
    } else if (*value >= 0 || !skip_bad_speed_) {
      d.values[attribute] = SpeedBytes(*value);
    }
    return {};
  }

  Status FromSysfs() {
    MILLRACE_TRY(names_.Read(root_));
    for (const std::string_view name : names_) {
      if (ignored_.Ignored(name)) continue;
      // bonding_masters and its like are files.
      dir_.assign(JoinPath(path_, {root_, name}));
      const std::uint64_t inode = DirectoryInode(dir_);
      if (inode == 0) continue;
      // Another device may have got the name, or this one its place in the list: either way what
      // is open may belong to the other.
      const bool same = count_ < devices_.size() && devices_[count_].name == name &&
                        devices_[count_].inode == inode;
      if (!same) files_.Forget(dir_);
      Device& d = Next(name);
      d.inode = inode;
      for (std::size_t a = 0; a < kAttributes.size(); ++a) MILLRACE_TRY(Number(d, a));
      for (const auto& [file, text] :
           {std::pair{"address", &d.address}, std::pair{"broadcast", &d.broadcast},
            std::pair{"duplex", &d.duplex}, std::pair{"operstate", &d.state},
            std::pair{"ifalias", &d.alias}}) {
        MILLRACE_ASSIGN(const auto value, Read(d, file));
        text->assign(value.value_or(""));
      }
    }
    return {};
  }

  // What netlink does not tell comes from sysfs all the same; reading most of sysfs takes the
  // kernel's RTNL lock, these three attributes do not.
  Status FromNetlink() {
    static constexpr std::array<std::string_view, 7> kStates = {
        "unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"};
    MILLRACE_TRY(links_.Read());
    for (std::size_t i = 0; i < links_.size(); ++i) {
      const NetworkLink& l = links_[i];
      if (ignored_.Ignored(l.name)) continue;
      Device& d = Next(l.name);
      d.address.assign(l.address);
      d.broadcast.assign(l.broadcast);
      d.alias.assign(l.alias);
      d.state.assign(kStates[std::min<std::size_t>(l.operational_state, kStates.size() - 1)]);
      const auto mode = LinkModeOf(l.name);
      d.duplex.assign(mode ? mode->duplex : "");
      for (const std::size_t a : {std::size_t{0}, kDeviceId, kNameAssign})
        MILLRACE_TRY(Number(d, a));
      if (mode && mode->megabits >= 0) d.values[kSpeed] = SpeedBytes(mode->megabits);
      const std::pair<std::size_t, double> own[] = {
          {1, l.carrier},    {2, l.carrier_changes},
          {3, l.carrier_up}, {4, l.carrier_down},
          {6, l.link_mode},  {kFlags, l.flags},
          {8, l.index},      {9, l.linked_index > 0 ? l.linked_index : l.index},
          {10, l.link_mode}, {11, l.mtu},
          {13, l.group},     {15, l.queue_length},
          {16, l.type}};
      for (const auto& [a, value] : own) d.values[a] = value;
    }
    return {};
  }

  void WriteInfo(MetricWriter& out) const {
    out.Family("node_network_info", kGauge, kInfoHelp);
    for (std::size_t i = 0; i < count_; ++i) {
      const Device& d = devices_[i];
      const auto flags = d.values[kFlags];
      const std::string_view admin = !flags                                              ? "unknown"
                                     : (static_cast<std::int64_t>(*flags) & IFF_UP) != 0 ? "up"
                                                                                         : "down";
      const Label labels[] = {{"address", d.address}, {"broadcast", d.broadcast},
                              {"device", d.name},     {"duplex", d.duplex},
                              {"ifalias", d.alias},   {"operstate", d.state},
                              {"adminstate", admin}};
      // Over netlink the original has no adminstate.
      out.Sample(std::span(labels).first(std::size(labels) - (netlink_ ? 1 : 0)), 1);
    }
  }

  void WriteNetlinkOnly(MetricWriter& out) {
    out.Family("node_network_altnames_info", kGauge, "Always 1; another name of a network device.");
    for (std::size_t i = 0; i < links_.size(); ++i)
      if (!ignored_.Ignored(links_[i].name))
        for (const std::string& name : links_[i].other_names)
          if (!name.empty()) out.Sample({{"altname", name}, {"device", links_[i].name}}, 1);
    if (!statistics_) return;
    struct Column {
      std::string_view name;
      __u64 rtnl_link_stats64::* value;
    };
    using S = rtnl_link_stats64;
    static constexpr Column kColumns[] = {
        {"node_network_receive_packets_total", &S::rx_packets},
        {"node_network_transmit_packets_total", &S::tx_packets},
        {"node_network_receive_bytes_total", &S::rx_bytes},
        {"node_network_transmit_bytes_total", &S::tx_bytes},
        {"node_network_receive_errors_total", &S::rx_errors},
        {"node_network_transmit_errors_total", &S::tx_errors},
        {"node_network_receive_dropped_total", &S::rx_dropped},
        {"node_network_transmit_dropped_total", &S::tx_dropped},
        {"node_network_multicast_total", &S::multicast},
        {"node_network_collisions_total", &S::collisions},
        {"node_network_receive_length_errors_total", &S::rx_length_errors},
        {"node_network_receive_over_errors_total", &S::rx_over_errors},
        {"node_network_receive_crc_errors_total", &S::rx_crc_errors},
        {"node_network_receive_frame_errors_total", &S::rx_frame_errors},
        {"node_network_receive_fifo_errors_total", &S::rx_fifo_errors},
        {"node_network_receive_missed_errors_total", &S::rx_missed_errors},
        {"node_network_transmit_aborted_errors_total", &S::tx_aborted_errors},
        {"node_network_transmit_carrier_errors_total", &S::tx_carrier_errors},
        {"node_network_transmit_fifo_errors_total", &S::tx_fifo_errors},
        {"node_network_transmit_heartbeat_errors_total", &S::tx_heartbeat_errors},
        {"node_network_transmit_window_errors_total", &S::tx_window_errors},
        {"node_network_receive_compressed_total", &S::rx_compressed},
        {"node_network_transmit_compressed_total", &S::tx_compressed},
        {"node_network_receive_nohandler_total", &S::rx_nohandler}};
    for (const Column& column : kColumns) {
      out.Family(column.name, kGauge, "A counter of a network device.");  // gauges in the original
      for (std::size_t i = 0; i < links_.size(); ++i)
        if (links_[i].has_statistics && !ignored_.Ignored(links_[i].name))
          out.Sample({{"device", links_[i].name}},
                     static_cast<double>(links_[i].statistics.*column.value));
    }
  }

  const std::string root_;
  const bool skip_bad_speed_, netlink_, statistics_;
  NameFilter ignored_;
  FileReader files_;
  DirList names_;
  LinkTable links_;
  std::vector<Device> devices_;
  std::size_t count_ = 0;
  std::string path_, dir_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.netclass.ignored-devices", "^$", "Regexp of devices to leave out.");
  flags.Switch("collector.netclass.ignore-invalid-speed", false,
               "Write no speed for devices that do not know theirs.");
  flags.Switch("collector.netclass.netlink", false, "Ask over netlink instead of reading sysfs.");
  flags.Switch("collector.netclass_rtnl.with-stats", false,
               "With netlink: write the counters of the devices too, instead of netdev.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(
      NameFilter ignored,
      NameFilter::Make(context.flags.GetText("collector.netclass.ignored-devices"), ""));
  return std::make_unique<Netclass>(context, std::move(ignored));
}

}  // namespace

MILLRACE_COLLECTOR(Netclass) = {"netclass", true, "Properties of network devices", &Declare, &Make};

}  // namespace millrace::node
