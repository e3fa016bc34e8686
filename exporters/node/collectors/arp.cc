#include <map>
#include <string>

#include <linux/neighbour.h>
#include <net/if.h>
#include <sys/socket.h>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/netlink.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Arp : public Collector {
 public:
  Arp(const Context& context, NameFilter filter)
      : path_(context.paths.Proc("net/arp")),
        netlink_(context.flags.GetSwitch("collector.arp.netlink")),
        filter_(std::move(filter)) {}

  Status Collect(MetricWriter& out) override {
    for (auto& [device, count] : entries_) count = 0;
    MILLRACE_TRY(netlink_ ? CountNeighbours() : CountTable());
    out.Family("node_arp_entries", kGauge, "ARP entries by device.");
    for (const auto& [device, count] : entries_)
      if (count != 0 && !filter_.Ignored(device))
        out.Sample({{"device", device}}, static_cast<double>(count));
    if (entries_.size() > kMaxRemembered) entries_.clear();
    return {};
  }

 private:
  static constexpr std::size_t kMaxRemembered = 4096;

  Status CountNeighbours() {
    return route_.Dump(RTM_GETNEIGH, AF_INET, [this](const nlmsghdr& message) {
      const auto* neighbour = FixedPart<ndmsg>(message);
      // The table in /proc/net/arp leaves out NOARP as well.
      if (neighbour == nullptr || (neighbour->ndm_state & NUD_NOARP) != 0) return;
      char name[IF_NAMESIZE] = {};
      if (::if_indextoname(static_cast<unsigned>(neighbour->ndm_ifindex), name) == nullptr) return;
      Count(name);
    });
  }

  // IP address, HW type, flags, HW address, mask, device; the header has nine words.
  Status CountTable() {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    while (NextLine(rest, line)) {
      const Words<6> words(line);
      if (words.size() == 0 || words.size() == 9) continue;
      if (words.size() != 6) return BadContent(path_, "line", line);
      Count(words[5]);
    }
    return {};
  }

  void Count(std::string_view device) {
    const auto found = entries_.find(device);
    if (found != entries_.end()) {
      ++found->second;
    } else {
      entries_.emplace(device, 1);
    }
  }

  const std::string path_;
  const bool netlink_;
  NameFilter filter_;
  FileReader files_;
  RouteSocket route_;
  std::map<std::string, std::uint64_t, std::less<>> entries_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.arp.device-include", "",
             "Regexp of devices to include (not together with device-exclude).");
  flags.Text("collector.arp.device-exclude", "",
             "Regexp of devices to leave out (not together with device-include).");
  flags.Switch("collector.arp.netlink", true, "Ask over netlink instead of reading net/arp.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(NameFilter filter,
                  NameFilter::Make(context.flags.GetText("collector.arp.device-exclude"),
                                   context.flags.GetText("collector.arp.device-include")));
  return std::make_unique<Arp>(context, std::move(filter));
}

}  // namespace

MILLRACE_COLLECTOR(Arp) = {"arp", true, "Entries of the ARP table by device", &Declare, &Make};

}  // namespace millrace::node
