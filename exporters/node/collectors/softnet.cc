#include <array>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Column {
  Metric metric;
  std::size_t at;
};
// Hexadecimal columns of net/softnet_stat (net/core/net-procfs.c). Older kernels end earlier:
// what they lack is 0.
constexpr std::array<Column, 7> kColumns = {{
    {{"node_softnet_processed_total", kCounter, "Packets a processor took from devices."}, 0},
    {{"node_softnet_dropped_total", kCounter, "Packets dropped because the backlog was full."}, 1},
    {{"node_softnet_times_squeezed_total", kCounter, "Times the budget ended before the packets."},
     2},
    {{"node_softnet_cpu_collision_total", kCounter, "Times a device's lock was taken on sending."},
     8},
    {{"node_softnet_received_rps_total", kCounter,
      "Times a processor was woken for steered packets."},
     9},
    {{"node_softnet_flow_limit_count_total", kCounter, "Times the limit of a flow was reached."},
     10},
    {{"node_softnet_backlog_len", kGauge, "Packets in the backlog of a processor."}, 11},
}};
constexpr std::size_t kLeastColumns = 9;
constexpr std::size_t kIndexColumn = 12;

class Softnet : public Collector {
 public:
  explicit Softnet(const Context& context) : path_(context.paths.Proc("net/softnet_stat")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    cpus_.clear();
    std::string_view line;
    while (NextLine(rest, line)) {
      const Words<kIndexColumn + 1> words(line);
      if (words.size() < kLeastColumns) return BadContent(path_, "line", line);
      const bool indexed = words.size() > kIndexColumn;
      Cpu cpu{static_cast<std::uint32_t>(cpus_.size()), {}};
      for (std::size_t i = 0; i < kColumns.size(); ++i) {
        const std::size_t at = kColumns[i].at;
        // The backlog came together with the processor's number.
        if (at >= words.size() || (at == 11 && !indexed)) continue;
        const auto value = ParseNumber<std::uint32_t>(words[at], 16);
        if (!value) return BadContent(path_, "number", words[at]);
        cpu.values[i] = *value;
      }
      if (indexed) {
        const auto number = ParseNumber<std::uint32_t>(words[kIndexColumn], 16);
        if (!number) return BadContent(path_, "number", words[kIndexColumn]);
        cpu.number = *number;
      }
      cpus_.push_back(cpu);
    }
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      out.Family(kColumns[i].metric);
      for (const Cpu& cpu : cpus_)
        out.Sample({{"cpu", NumberText(cpu.number).view()}}, cpu.values[i]);
    }
    return {};
  }

 private:
  struct Cpu {
    std::uint32_t number;
    std::array<double, kColumns.size()> values;
  };
  const std::string path_;
  FileReader files_;
  std::vector<Cpu> cpus_;
};

}  // namespace

MILLRACE_COLLECTOR(Softnet) = {"softnet", true, "Packets by processor", nullptr,
                               &MakeCollector<Softnet>};

}  // namespace millrace::node
