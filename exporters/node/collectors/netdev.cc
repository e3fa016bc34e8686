#include <array>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "common/log/log.h"
#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/links.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::size_t kMaxColumns = 24;

struct Device {
  std::string name, alias;
  std::array<double, kMaxColumns> values{};
};

// Columns of /proc/net/dev, twice: under the names it always had, and under those that netlink
// has with --collector.netdev.enable-detailed-metrics.
constexpr std::array<std::string_view, 16> kProcNames = {
    "receive_bytes",  "receive_packets",  "receive_errs",       "receive_drop",
    "receive_fifo",   "receive_frame",    "receive_compressed", "receive_multicast",
    "transmit_bytes", "transmit_packets", "transmit_errs",      "transmit_drop",
    "transmit_fifo",  "transmit_colls",   "transmit_carrier",   "transmit_compressed"};
constexpr std::array<std::string_view, 16> kProcDetailedNames = {
    "receive_bytes",  "receive_packets",  "receive_errors",     "receive_dropped",
    "receive_fifo",   "receive_frame",    "receive_compressed", "receive_multicast",
    "transmit_bytes", "transmit_packets", "transmit_errors",    "transmit_dropped",
    "transmit_fifo",  "transmit_colls",   "transmit_carrier",   "transmit_compressed"};

// Sums as the kernel makes them for /proc/net/dev (net/core/net-procfs.c).
struct Summed {
  std::string_view name;
  std::uint64_t (*value)(const rtnl_link_stats64& s);
};
constexpr std::array<Summed, 17> kSummed = {{
    {"receive_bytes", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.rx_bytes; }},
    {"receive_packets", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.rx_packets; }},
    {"receive_errs", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.rx_errors; }},
    {"receive_drop",
     [](const rtnl_link_stats64& s) -> std::uint64_t { return s.rx_dropped + s.rx_missed_errors; }},
    {"receive_fifo", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.rx_fifo_errors; }},
    {"receive_frame",
     [](const rtnl_link_stats64& s) -> std::uint64_t {
       return s.rx_frame_errors + s.rx_length_errors + s.rx_over_errors + s.rx_crc_errors;
     }},
    {"receive_compressed",
     [](const rtnl_link_stats64& s) -> std::uint64_t { return s.rx_compressed; }},
    {"receive_multicast", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.multicast; }},
    {"receive_nohandler",
     [](const rtnl_link_stats64& s) -> std::uint64_t { return s.rx_nohandler; }},
    {"transmit_bytes", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.tx_bytes; }},
    {"transmit_packets", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.tx_packets; }},
    {"transmit_errs", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.tx_errors; }},
    {"transmit_drop", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.tx_dropped; }},
    {"transmit_fifo", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.tx_fifo_errors; }},
    {"transmit_colls", [](const rtnl_link_stats64& s) -> std::uint64_t { return s.collisions; }},
    {"transmit_carrier",
     [](const rtnl_link_stats64& s) -> std::uint64_t {
       return s.tx_carrier_errors + s.tx_aborted_errors + s.tx_heartbeat_errors +
              s.tx_window_errors;
     }},
    {"transmit_compressed",
     [](const rtnl_link_stats64& s) -> std::uint64_t { return s.tx_compressed; }},
}};

struct Detailed {
  std::string_view name;
  __u64 rtnl_link_stats64::* value;
};
constexpr std::array<Detailed, kMaxColumns> kDetailed = {{
    {"receive_packets", &rtnl_link_stats64::rx_packets},
    {"transmit_packets", &rtnl_link_stats64::tx_packets},
    {"receive_bytes", &rtnl_link_stats64::rx_bytes},
    {"transmit_bytes", &rtnl_link_stats64::tx_bytes},
    {"receive_errors", &rtnl_link_stats64::rx_errors},
    {"transmit_errors", &rtnl_link_stats64::tx_errors},
    {"receive_dropped", &rtnl_link_stats64::rx_dropped},
    {"transmit_dropped", &rtnl_link_stats64::tx_dropped},
    {"multicast", &rtnl_link_stats64::multicast},
    {"collisions", &rtnl_link_stats64::collisions},
    {"receive_length_errors", &rtnl_link_stats64::rx_length_errors},
    {"receive_over_errors", &rtnl_link_stats64::rx_over_errors},
    {"receive_crc_errors", &rtnl_link_stats64::rx_crc_errors},
    {"receive_frame_errors", &rtnl_link_stats64::rx_frame_errors},
    {"receive_fifo_errors", &rtnl_link_stats64::rx_fifo_errors},
    {"receive_missed_errors", &rtnl_link_stats64::rx_missed_errors},
    {"transmit_aborted_errors", &rtnl_link_stats64::tx_aborted_errors},
    {"transmit_carrier_errors", &rtnl_link_stats64::tx_carrier_errors},
    {"transmit_fifo_errors", &rtnl_link_stats64::tx_fifo_errors},
    {"transmit_heartbeat_errors", &rtnl_link_stats64::tx_heartbeat_errors},
    {"transmit_window_errors", &rtnl_link_stats64::tx_window_errors},
    {"receive_compressed", &rtnl_link_stats64::rx_compressed},
    {"transmit_compressed", &rtnl_link_stats64::tx_compressed},
    {"receive_nohandler", &rtnl_link_stats64::rx_nohandler},
}};

// Go's classes of addresses, which the label `scope` shows.
std::string_view ScopeOf(const sockaddr& address) {
  const void* raw = &address;
  if (address.sa_family == AF_INET) {
    const auto bits = ntohl(static_cast<const sockaddr_in*>(raw)->sin_addr.s_addr);
    if (bits >> 24 == 127 || bits >> 16 == 0xA9FE || bits >> 8 == 0xE00000) return "link-local";
    return bits == 0 || bits == 0xFFFFFFFF || bits >> 28 == 14 ? "" : "global";
  }
  const auto& bytes = static_cast<const sockaddr_in6*>(raw)->sin6_addr.s6_addr;
  const bool loopback =
      bytes[15] == 1 && std::all_of(bytes, bytes + 15, [](auto b) { return b == 0; });
  if (loopback || (bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80)) return "link-local";
  if (bytes[0] == 0xFF)
    return (bytes[1] & 15) == 2 ? "link-local" : (bytes[1] & 15) == 1 ? "interface-local" : "";
  return std::all_of(bytes, bytes + 16, [](auto b) { return b == 0; }) ? "" : "global";
}

unsigned MaskBits(const sockaddr& mask) {
  const void* raw = &mask;
  const bool v4 = mask.sa_family == AF_INET;
  const void* from = v4 ? static_cast<const void*>(&static_cast<const sockaddr_in*>(raw)->sin_addr)
                        : &static_cast<const sockaddr_in6*>(raw)->sin6_addr;
  const auto* bytes = static_cast<const unsigned char*>(from);
  unsigned bits = 0;
  for (std::size_t i = 0; i < (v4 ? 4U : 16U); ++i)
    bits += static_cast<unsigned>(__builtin_popcount(bytes[i]));
  return bits;
}

class Netdev : public Collector {
 public:
  Netdev(const Context& context, NameFilter filter)
      : path_(context.paths.Proc("net/dev")),
        class_(context.paths.Sys("class/net")),
        netlink_(context.flags.GetSwitch("collector.netdev.netlink")),
        detailed_(context.flags.GetSwitch("collector.netdev.enable-detailed-metrics")),
        alias_(context.flags.GetSwitch("collector.netdev.label-ifalias")),
        addresses_(context.flags.GetSwitch("collector.netdev.address-info")),
        filter_(std::move(filter)) {
    const auto add = [this](std::string_view name) {
      families_.push_back("node_network_" + std::string(name) + "_total");
    };
    if (!netlink_) {
      for (const auto name : detailed_ ? kProcDetailedNames : kProcNames) add(name);
    } else if (detailed_) {
      for (const auto& column : kDetailed) add(column.name);
    } else {
      for (const auto& column : kSummed) add(column.name);
    }
  }

  Status Collect(MetricWriter& out) override {
    count_ = 0;
    MILLRACE_TRY(netlink_ ? FromNetlink() : FromProc());
    if (alias_)
      for (std::size_t i = 0; i < count_; ++i)
        devices_[i].alias.assign(
            files_.Try(JoinPath(scratch_, {class_, devices_[i].name, "ifalias"})).value_or(""));
    for (std::size_t column = 0; column < families_.size(); ++column) {
      out.Family(families_[column], kCounter, "A counter of a network device.");
      for (std::size_t i = 0; i < count_; ++i) {
        const Device& d = devices_[i];
        if (alias_) {
          out.Sample({{"device", d.name}, {"ifalias", d.alias}}, d.values[column]);
        } else {
          out.Sample({{"device", d.name}}, d.values[column]);
        }
      }
    }
    return addresses_ ? WriteAddresses(out) : Status();
  }

 private:
  Device& Next(std::string_view name) {
    if (count_ == devices_.size()) devices_.emplace_back();
    devices_[count_].name.assign(name);
    return devices_[count_++];
  }

  Status FromNetlink() {
    MILLRACE_TRY(links_.Read());
    for (std::size_t i = 0; i < links_.size(); ++i) {
      const NetworkLink& link = links_[i];
      if (!link.has_statistics || filter_.Ignored(link.name)) continue;
      Device& d = Next(link.name);
      if (detailed_) {
        for (std::size_t c = 0; c < kDetailed.size(); ++c)
          d.values[c] = static_cast<double>(link.statistics.*kDetailed[c].value);
      } else {
        for (std::size_t c = 0; c < kSummed.size(); ++c)
          d.values[c] = static_cast<double>(kSummed[c].value(link.statistics));
      }
    }
    return {};
  }

  // Two lines of headings, then "  eth0: 1 2 ..." with 16 numbers.
  Status FromProc() {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    NextLine(rest, line);
    NextLine(rest, line);
    while (NextLine(rest, line)) {
      const auto colon = line.rfind(':');
      if (colon == std::string_view::npos) return BadContent(path_, "line", line);
      const std::string_view name = Trim(line.substr(0, colon));
      if (filter_.Ignored(name)) continue;
      std::string_view words = line.substr(colon + 1);
      Device& d = Next(name);
      for (std::size_t c = 0; c < kProcNames.size(); ++c) {
        const auto value = NextUnsigned(words);
        if (!value) return BadContent(path_, "line", line);
        d.values[c] = static_cast<double>(*value);
      }
    }
    return {};
  }

  Status WriteAddresses(MetricWriter& out) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return FailErrno("getifaddrs", errno);
    out.Family("node_network_address_info", kGauge, "Always 1; an address of a network device.");
    for (const ifaddrs* a = list; a != nullptr; a = a->ifa_next) {
      if (a->ifa_addr == nullptr || a->ifa_netmask == nullptr || filter_.Ignored(a->ifa_name))
        continue;
      const int family = a->ifa_addr->sa_family;
      if (family != AF_INET && family != AF_INET6) continue;
      const void* raw = a->ifa_addr;
      const void* bytes =
          family == AF_INET
              ? static_cast<const void*>(&static_cast<const sockaddr_in*>(raw)->sin_addr)
              : &static_cast<const sockaddr_in6*>(raw)->sin6_addr;
      std::array<char, INET6_ADDRSTRLEN> text{};
      ::inet_ntop(family, bytes, text.data(), text.size());
      out.Sample({{"address", text.data()},
                  {"device", a->ifa_name},
                  {"netmask", NumberText(MaskBits(*a->ifa_netmask)).view()},
                  {"scope", ScopeOf(*a->ifa_addr)}},
                 1);
    }
    ::freeifaddrs(list);
    return {};
  }

  const std::string path_, class_;
  const bool netlink_, detailed_, alias_, addresses_;
  NameFilter filter_;
  FileReader files_;
  LinkTable links_;
  std::vector<std::string> families_;
  std::vector<Device> devices_;
  std::size_t count_ = 0;
  std::string scratch_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.netdev.device-include", "",
             "Regexp of devices to include (not together with device-exclude).");
  flags.Text("collector.netdev.device-whitelist", "", "Old name of device-include.");
  flags.Hide();
  flags.Text("collector.netdev.device-exclude", "",
             "Regexp of devices to leave out (not together with device-include).");
  flags.Text("collector.netdev.device-blacklist", "", "Old name of device-exclude.");
  flags.Hide();
  flags.Switch("collector.netdev.address-info", false, "Write node_network_address_info.");
  flags.Switch("collector.netdev.enable-detailed-metrics", false,
               "Use other names, with more detail.");
  flags.Switch("collector.netdev.netlink", true, "Ask over netlink instead of reading net/dev.");
  flags.Switch("collector.netdev.label-ifalias", false, "Add the label ifalias.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(
      NameFilter filter,
      FilterFromFlags(context.flags,
                      {"collector.netdev.device-exclude", "collector.netdev.device-include",
                       "collector.netdev.device-blacklist", "collector.netdev.device-whitelist"}));
  return std::make_unique<Netdev>(context, std::move(filter));
}

}  // namespace

MILLRACE_COLLECTOR(Netdev) = {"netdev", true, "Packets, bytes and errors of network devices",
                              &Declare, &Make};

}  // namespace millrace::node
