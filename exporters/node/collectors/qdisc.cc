#include <vector>

#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "exporters/node/attributes.h"
#include "exporters/node/filter.h"
#include "exporters/node/json_fixture.h"
#include "exporters/node/netlink_socket.h"

namespace millrace::node {
namespace {

struct Qdisc {
  std::string device, kind;
  std::uint32_t parent = 0;
  double bytes = 0, packets = 0, drops = 0, requeues = 0, overlimits = 0, length = 0, backlog = 0;
};

/// One RTM_NEWQDISC message. TCA_STATS2 has 64 bits for bytes, TCA_STATS is for old kernels.
Qdisc ParseQdisc(std::string_view payload) {
  Qdisc q;
  const auto message = StructAt<tcmsg>(payload);
  q.parent = message.tcm_parent == TC_H_ROOT ? 0 : message.tcm_parent;
  char name[IF_NAMESIZE] = {};
  if (::if_indextoname(static_cast<unsigned>(message.tcm_ifindex), name) != nullptr)
    q.device = name;
  const auto queue = [&q](const gnet_stats_queue& s) {
    q.length = s.qlen;
    q.backlog = s.backlog;
    q.drops = s.drops;
    q.requeues = s.requeues;
    q.overlimits = s.overlimits;
  };
  bool has_stats2 = false;
  EachAttribute(payload.substr(std::min(NLMSG_ALIGN(sizeof message), payload.size())),
                [&](unsigned type, std::string_view value) {
                  if (type == TCA_KIND) q.kind = value.substr(0, value.find('\0'));
                  if (type == TCA_STATS && !has_stats2) {
                    const auto s = StructAt<tc_stats>(value);
                    q.bytes = static_cast<double>(s.bytes);
                    q.packets = s.packets;
                    q.drops = s.drops;
                    q.overlimits = s.overlimits;
                    q.length = s.qlen;
                    q.backlog = s.backlog;
                  }
                  if (type != TCA_STATS2) return;
                  has_stats2 = true;
                  EachAttribute(value, [&](unsigned inner, std::string_view bytes) {
                    if (inner == TCA_STATS_BASIC) {
                      const auto s = StructAt<gnet_stats_basic>(bytes);
                      q.bytes = static_cast<double>(s.bytes);
                      q.packets = s.packets;
                    }
                    if (inner == TCA_STATS_QUEUE) queue(StructAt<gnet_stats_queue>(bytes));
                  });
                });
  return q;
}

class QdiscCollector : public Collector {
 public:
  QdiscCollector(const Context& context, NameFilter filter)
      : fixtures_(context.flags.GetText("collector.qdisc.fixtures")), filter_(std::move(filter)) {}

  Status Collect(MetricWriter& out) override {
    found_.clear();
    MILLRACE_TRY(fixtures_.empty() ? Ask() : ReadFixtures());
    for (const Qdisc& q : found_) {
      // Only the root of a device; classes below it would count twice.
      if (q.parent != 0 || filter_.Ignored(q.device)) continue;
      const std::initializer_list<Label> labels = {{"device", q.device}, {"kind", q.kind}};
      Emit(out, {"node_qdisc_bytes_total", kCounter, "Bytes sent."}, labels, q.bytes);
      Emit(out, {"node_qdisc_packets_total", kCounter, "Packets sent."}, labels, q.packets);
      Emit(out, {"node_qdisc_drops_total", kCounter, "Packets dropped."}, labels, q.drops);
      Emit(out, {"node_qdisc_requeues_total", kCounter, "Packets put back into the queue."}, labels,
           q.requeues);
      Emit(out, {"node_qdisc_overlimits_total", kCounter, "Packets over a limit."}, labels,
           q.overlimits);
      Emit(out, {"node_qdisc_current_queue_length", kGauge, "Packets in the queue."}, labels,
           q.length);
      Emit(out, {"node_qdisc_backlog", kGauge, "Bytes in the queue."}, labels, q.backlog);
    }
    return {};
  }

 private:
  Status Ask() {
    tcmsg request{};
    request.tcm_family = AF_UNSPEC;
    return socket_.Request(RTM_GETQDISC, NLM_F_DUMP, BytesOf(request),
                           [this](std::uint16_t type, std::string_view payload) {
                             if (type == RTM_NEWQDISC) found_.push_back(ParseQdisc(payload));
                           });
  }

  Status ReadFixtures() {
    MILLRACE_ASSIGN(const auto objects, ReadJsonObjects(fixtures_ + "/results.json"));
    for (const JsonObject& o : objects) {
      Qdisc q;
      q.device = TextOf(o, "ifacename");
      q.kind = TextOf(o, "kind");
      q.parent = static_cast<std::uint32_t>(NumberOf(o, "parent"));
      q.bytes = NumberOf(o, "bytes");
      q.packets = NumberOf(o, "packets");
      q.drops = NumberOf(o, "drops");
      q.requeues = NumberOf(o, "requeues");
      q.overlimits = NumberOf(o, "overlimits");
      q.length = NumberOf(o, "qlen");
      q.backlog = NumberOf(o, "backlog");
      found_.push_back(std::move(q));
    }
    return {};
  }

  const std::string fixtures_;
  NameFilter filter_;
  NetlinkSocket socket_{NETLINK_ROUTE};
  std::vector<Qdisc> found_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.qdisc.fixtures", "", "Directory with results.json, for tests.");
  flags.Text("collector.qdisc.device-include", "",
             "Regexp of devices to include (not together with device-exclude).");
  flags.Text("collector.qdisc.device-exclude", "",
             "Regexp of devices to leave out (not together with device-include).");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  const std::string& exclude = context.flags.GetText("collector.qdisc.device-exclude");
  const std::string& include = context.flags.GetText("collector.qdisc.device-include");
  if (!exclude.empty() && !include.empty())
    return Fail(ErrorCode::kInvalidArgument,
                "device-exclude and device-include cannot be used together");
  MILLRACE_ASSIGN(NameFilter filter, NameFilter::Make(exclude, include));
  return std::make_unique<QdiscCollector>(context, std::move(filter));
}

}  // namespace

MILLRACE_COLLECTOR(Qdisc) = {"qdisc", false, "Queueing disciplines of network devices", &Declare,
                             &Make};

}  // namespace millrace::node
