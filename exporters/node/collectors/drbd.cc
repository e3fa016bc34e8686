#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Number {
  std::string_view key;
  Metric metric;
  double factor = 1;
};
// https://linbit.com/drbd-user-guide/users-guide-drbd-8-4/, "Performance indicators". nr is in KiB
// as ns is; it stays unscaled because dashboards know it so.
constexpr Number kNumbers[] = {
    {"ns", {"node_drbd_network_sent_bytes_total", kCounter, "Bytes sent to the peer."}, 1024},
    {"nr", {"node_drbd_network_received_bytes_total", kCounter, "Bytes received from the peer."}},
    {"dw", {"node_drbd_disk_written_bytes_total", kCounter, "Bytes written to the disk."}, 1024},
    {"dr", {"node_drbd_disk_read_bytes_total", kCounter, "Bytes read from the disk."}, 1024},
    {"al", {"node_drbd_activitylog_writes_total", kCounter, "Updates of the activity log."}},
    {"bm", {"node_drbd_bitmap_writes_total", kCounter, "Updates of the bitmap."}},
    {"lo", {"node_drbd_local_pending", kGauge, "Open requests to the local I/O subsystem."}},
    {"pe", {"node_drbd_remote_pending", kGauge, "Requests to the peer without an answer."}},
    {"ua", {"node_drbd_remote_unacknowledged", kGauge, "Requests of the peer not yet answered."}},
    {"ap", {"node_drbd_application_pending", kGauge, "Requests to DRBD not yet answered."}},
    {"ep", {"node_drbd_epochs", kGauge, "Epochs under way."}},
    {"oos", {"node_drbd_out_of_sync_bytes", kGauge, "Bytes known to be out of sync."}, 1024},
};
struct Pair {
  std::string_view key, good;
  Metric metric;
};
constexpr Pair kPairs[] = {
    {"ro", "Primary", {"node_drbd_node_role_is_primary", kGauge, "1 if the node is primary."}},
    {"ds",
     "UpToDate",
     {"node_drbd_disk_state_is_up_to_date", kGauge, "1 if the disk of the node is up to date."}},
};

class Drbd : public Collector {
 public:
  explicit Drbd(const Context& context) : path_(context.paths.Proc("drbd")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string device = "unknown";
    for (auto word = NextWord(rest); !word.empty(); word = NextWord(rest)) {
      std::string_view value = word;
      const std::string_view key = NextPiece(value, ':');
      if (key.size() == word.size() || value.find(':') != std::string_view::npos) continue;
      if (const auto number = ParseNumber<std::uint64_t>(key); number && value.empty()) {
        device = "drbd" + std::to_string(*number);
        continue;
      }
      MILLRACE_TRY(Pick(key, value, device, out));
    }
    return {};
  }

 private:
  Status Pick(std::string_view key, std::string_view value, std::string_view device,
              MetricWriter& out) {
    for (const Number& n : kNumbers) {
      if (n.key != key) continue;
      const auto number = ParseNumber<double>(value);
      if (!number) return BadContent(path_, key, value);
      Emit(out, n.metric, {{"device", device}}, *number * n.factor);
    }
    for (const Pair& p : kPairs) {
      if (p.key != key) continue;
      if (value.find('/') == std::string_view::npos) return BadContent(path_, key, value);
      const std::string_view local = NextPiece(value, '/');
      Emit(out, p.metric, {{"device", device}, {"node", "local"}}, local == p.good ? 1 : 0);
      Emit(out, p.metric, {{"device", device}, {"node", "remote"}}, value == p.good ? 1 : 0);
    }
    if (key == "cs")
      Emit(out, {"node_drbd_connected", kGauge, "1 if the peer is connected."},
           {{"device", device}}, value == "Connected" ? 1 : 0);
    return {};
  }

  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Drbd) = {"drbd", false, "DRBD 8 replicated block devices", nullptr,
                            &MakeCollector<Drbd>};

}  // namespace millrace::node
