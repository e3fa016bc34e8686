#include <cerrno>
#include <limits>

#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Documentation/ABI/testing/sysfs-class-fc_host
constexpr NumberFile kCounters[] = {
    {"dumped_frames", {"node_fibrechannel_dumped_frames_total", kCounter, "Frames dumped."}},
    {"error_frames", {"node_fibrechannel_error_frames_total", kCounter, "Frames with errors."}},
    {"invalid_crc_count",
     {"node_fibrechannel_invalid_crc_total", kCounter, "Frames with a wrong checksum."}},
    {"rx_frames", {"node_fibrechannel_rx_frames_total", kCounter, "Frames received."}},
    {"rx_words", {"node_fibrechannel_rx_words_total", kCounter, "Words received."}},
    {"tx_frames", {"node_fibrechannel_tx_frames_total", kCounter, "Frames sent."}},
    {"tx_words", {"node_fibrechannel_tx_words_total", kCounter, "Words sent."}},
    {"seconds_since_last_reset",
     {"node_fibrechannel_seconds_since_last_reset_total", kCounter,
      "Seconds since the statistics were reset."}},
    {"invalid_tx_word_count",
     {"node_fibrechannel_invalid_tx_words_total", kCounter, "Invalid words sent."}},
    {"link_failure_count",
     {"node_fibrechannel_link_failure_total", kCounter, "Failures of the link."}},
    {"loss_of_sync_count",
     {"node_fibrechannel_loss_of_sync_total", kCounter, "Times that synchronisation was lost."}},
    {"loss_of_signal_count",
     {"node_fibrechannel_loss_of_signal_total", kCounter, "Times that the signal was lost."}},
    {"nos_count", {"node_fibrechannel_nos_total", kCounter, "Not-operational sequences received."}},
    {"fcp_packet_aborts",
     {"node_fibrechannel_fcp_packet_aborts_total", kCounter, "FCP packets aborted."}},
};

/// "0x1b" and "27" alike.
std::optional<std::uint64_t> ParseCount(std::string_view text) {
  if (text.starts_with("0x")) return ParseNumber<std::uint64_t>(text.substr(2), 16);
  return ParseNumber<std::uint64_t>(text);
}

std::string WithoutPrefix(std::string text) { return text.size() > 2 ? text.substr(2) : text; }

class Fibrechannel : public Collector {
 public:
  explicit Fibrechannel(const Context& context) : class_(context.paths.Sys("class/fc_host")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(names_.Read(class_));
    for (const std::string_view host : names_) {
      directory_.assign(class_).append("/").append(host);
      EmitInfo(host, out);
      directory_ += "/statistics";
      for (const NumberFile& f : kCounters) {
        // Some files are write-only or not implemented by the driver.
        const auto text = files_.Try(JoinPath(path_, {directory_, f.file}));
        if (!text) continue;
        const auto value = ParseCount(*text);
        if (!value) return BadContent(path_, "counter", *text);
        // All ones: the firmware does not count it.
        if (*value == std::numeric_limits<std::uint64_t>::max()) continue;
        Emit(out, f.metric, {{"fc_host", host}}, static_cast<double>(*value));
      }
    }
    return {};
  }

 private:
  void EmitInfo(std::string_view host, MetricWriter& out) {
    const auto text = [&](std::string_view file) {
      return TextOf(files_, path_, directory_, file);
    };
    Emit(out, {"node_fibrechannel_info", kGauge, "Always 1; what a host adapter is."},
         {{"dev_loss_tmo", text("dev_loss_tmo")},
          {"fabric_name", WithoutPrefix(text("fabric_name"))},
          {"fc_host", host},
          {"port_id", WithoutPrefix(text("port_id"))},
          {"port_name", WithoutPrefix(text("port_name"))},
          {"port_state", text("port_state")},
          {"port_type", text("port_type")},
          {"speed", text("speed")},
          {"supported_classes", text("supported_classes")},
          {"supported_speeds", text("supported_speeds")},
          {"symbolic_name", text("symbolic_name")}},
         1);
  }

  const std::string class_;
  FileReader files_;
  DirList names_;
  std::string path_, directory_;
};

}  // namespace

MILLRACE_COLLECTOR(Fibrechannel) = {"fibrechannel", true, "Fibre Channel host adapters", nullptr,
                                    &MakeCollector<Fibrechannel>};

}  // namespace millrace::node
