#include <array>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "exporters/node/attributes.h"
#include "exporters/node/netlink_socket.h"

namespace millrace::node {
namespace {

// Index = state of the kernel (include/net/tcp_states.h).
constexpr std::string_view kStates[] = {"unknown",    "established", "syn_sent",  "syn_recv",
                                        "fin_wait1",  "fin_wait2",   "time_wait", "close",
                                        "close_wait", "last_ack",    "listen",    "closing"};

class Tcpstat : public Collector {
 public:
  explicit Tcpstat(const Context& context) : tcp6_(context.paths.Proc("net/tcp6")) {}

  Status Collect(MetricWriter& out) override {
    counts_ = {};
    received_ = sent_ = 0;
    any_ = false;
    MILLRACE_TRY(Count(AF_INET));
    if (Exists(tcp6_)) MILLRACE_TRY(Count(AF_INET6));
    out.Family("node_tcp_connection_states", kGauge, "TCP sockets by state, and bytes queued.");
    for (std::size_t i = 0; i < counts_.size(); ++i)
      if (counts_[i] != 0) out.Sample({{"state", kStates[i]}}, counts_[i]);
    if (any_) {
      out.Sample({{"state", "rx_queued_bytes"}}, received_);
      out.Sample({{"state", "tx_queued_bytes"}}, sent_);
    }
    return {};
  }

 private:
  Status Count(std::uint8_t family) {
    inet_diag_req_v2 request{};
    request.sdiag_family = family;
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = 0xfff;
    return socket_.Request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, BytesOf(request),
                           [this](std::uint16_t, std::string_view payload) {
                             const auto message = StructAt<inet_diag_msg>(payload);
                             const std::size_t state = message.idiag_state;
                             counts_[state < counts_.size() ? state : 0] += 1;
                             received_ += message.idiag_rqueue;
                             sent_ += message.idiag_wqueue;
                             any_ = true;
                           });
  }

  const std::string tcp6_;
  NetlinkSocket socket_{NETLINK_SOCK_DIAG};
  std::array<double, std::size(kStates)> counts_{};
  double received_ = 0, sent_ = 0;
  bool any_ = false;
};

}  // namespace

MILLRACE_COLLECTOR(Tcpstat) = {"tcpstat", false, "TCP sockets by state", nullptr,
                               &MakeCollector<Tcpstat>};

}  // namespace millrace::node
