// Beyond node_exporter: TCP connections by state and by the port that is listened on.
#include <algorithm>
#include <map>
#include <vector>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "exporters/node/attributes.h"
#include "exporters/node/netlink_socket.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::size_t kListen = 10;  // TCP_LISTEN
// Index = state of the kernel (include/net/tcp_states.h).
constexpr std::string_view kStates[] = {
    "unknown", "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2",   "time_wait",
    "close",   "close_wait",  "last_ack", "listen",   "closing",   "new_syn_recv"};

class Connections : public Collector {
 public:
  explicit Connections(const Context& context)
      : tcp6_(context.paths.Proc("net/tcp6")),
        most_ports_(
            static_cast<std::size_t>(context.flags.GetInteger("collector.connections.max-ports"))) {
  }

  Status Collect(MetricWriter& out) override {
    sockets_.clear();
    listening_.clear();
    MILLRACE_TRY(Read(AF_INET));
    if (Exists(tcp6_)) MILLRACE_TRY(Read(AF_INET6));
    std::sort(listening_.begin(), listening_.end());
    listening_.erase(std::unique(listening_.begin(), listening_.end()), listening_.end());
    // Counted by (port, state); port 0 = no port of ours, 65536 = beyond the limit.
    constexpr std::uint32_t kOther = 65536;
    std::map<std::pair<std::uint32_t, std::size_t>, double> counts;
    for (const Socket& s : sockets_) {
      const auto at = std::lower_bound(listening_.begin(), listening_.end(), s.port);
      std::uint32_t port = 0;
      if (at != listening_.end() && *at == s.port)
        port = static_cast<std::size_t>(at - listening_.begin()) < most_ports_ ? s.port : kOther;
      counts[{port, s.state}] += 1;
    }
    out.Family("node_tcp_connections", kGauge,
               "TCP sockets by state and port listened on; no port: connections to elsewhere.");
    for (const auto& [key, count] : counts) {
      const NumberText number(key.first);
      const std::string_view port = key.first == 0        ? std::string_view()
                                    : key.first == kOther ? std::string_view("other")
                                                          : number.view();
      out.Sample({{"port", port}, {"state", kStates[key.second]}}, count);
    }
    return {};
  }

 private:
  struct Socket {
    std::uint16_t port;
    std::uint8_t state;
  };

  Status Read(std::uint8_t family) {
    inet_diag_req_v2 request{};
    request.sdiag_family = family;
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = 0xffffffff;
    return socket_.Request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, BytesOf(request),
                           [this](std::uint16_t, std::string_view payload) {
                             const auto m = StructAt<inet_diag_msg>(payload);
                             const std::uint16_t port = ntohs(m.id.idiag_sport);
                             const std::uint8_t state =
                                 m.idiag_state < std::size(kStates) ? m.idiag_state : 0;
                             sockets_.push_back({port, state});
                             if (state == kListen) listening_.push_back(port);
                           });
  }

  const std::string tcp6_;
  const std::size_t most_ports_;
  NetlinkSocket socket_{NETLINK_SOCK_DIAG};
  std::vector<Socket> sockets_;
  std::vector<std::uint16_t> listening_;
};

void Declare(FlagSet& flags) {
  flags.Integer("collector.connections.max-ports", 100,
                "Most ports with series of their own; the highest ones share port=\"other\".");
}

}  // namespace

MILLRACE_COLLECTOR(Connections) = {"connections", false, "TCP connections by state and port",
                                   &Declare, &MakeCollector<Connections>};

}  // namespace millrace::node
