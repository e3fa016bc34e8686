#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class UdpQueues : public Collector {
 public:
  explicit UdpQueues(const Context& context)
      : v4_(context.paths.Proc("net/udp")), v6_(context.paths.Proc("net/udp6")) {}

  Status Collect(MetricWriter& out) override {
    out.Family("node_udp_queues", kGauge, "Bytes waiting in the queues of UDP sockets.");
    MILLRACE_ASSIGN(const bool has_v4, File(out, v4_, "v4"));
    MILLRACE_ASSIGN(const bool has_v6, File(out, v6_, "v6"));
    if (!has_v4 && !has_v6) return NoData("neither net/udp nor net/udp6");
    return {};
  }

 private:
  // The fifth column is "<tx>:<rx>", in hexadecimal. False when there is no file.
  Result<bool> File(MetricWriter& out, const std::string& path, std::string_view ip) {
    auto text = files_.Read(path);
    if (!text && text.error().code == ErrorCode::kNotFound) return false;
    if (!text) return tl::make_unexpected(std::move(text).error());
    std::string_view rest = *text;
    std::string_view line;
    NextLine(rest, line);
    std::uint64_t tx = 0;
    std::uint64_t rx = 0;
    while (NextLine(rest, line)) {
      const Words<5> words(line);
      std::string_view queues = words[4];
      const auto line_tx = ParseNumber<std::uint64_t>(NextPiece(queues, ':'), 16);
      const auto line_rx = ParseNumber<std::uint64_t>(queues, 16);
      if (!line_tx || !line_rx) return BadContent(path, "line", line);
      tx += *line_tx;
      rx += *line_rx;
    }
    out.Sample({{"ip", ip}, {"queue", "tx"}}, static_cast<double>(tx));
    out.Sample({{"ip", ip}, {"queue", "rx"}}, static_cast<double>(rx));
    return true;
  }

  const std::string v4_, v6_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(UdpQueues) = {"udp_queues", true, "Bytes in the queues of UDP sockets", nullptr,
                                 &MakeCollector<UdpQueues>};

}  // namespace millrace::node
