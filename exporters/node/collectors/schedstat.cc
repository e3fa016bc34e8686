#include <array>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::array<Metric, 3> kMetrics = {{
    {"node_schedstat_running_seconds_total", kCounter, "Seconds a processor ran tasks."},
    {"node_schedstat_waiting_seconds_total", kCounter, "Seconds tasks waited for a processor."},
    {"node_schedstat_timeslices_total", kCounter, "Time slices a processor ran."},
}};
constexpr double kNanoseconds = 1e9;

class Schedstat : public Collector {
 public:
  explicit Schedstat(const Context& context) : path_(context.paths.Proc("schedstat")) {}

  // Columns 7 to 9 of the lines "cpu<N> ...", Documentation/scheduler/sched-stats.rst.
  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    cpus_.clear();
    std::string_view line;
    while (NextLine(rest, line)) {
      if (!line.starts_with("cpu")) continue;
      const Words<10> words(line);
      Cpu& cpu = cpus_.emplace_back();
      cpu.number = words[0].substr(3);
      for (std::size_t i = 0; i < kMetrics.size(); ++i) {
        const auto value = ParseNumber<std::uint64_t>(words[7 + i]);
        if (!value) return BadContent(path_, "line", line);
        cpu.values[i] = static_cast<double>(*value);
      }
    }
    for (std::size_t i = 0; i < kMetrics.size(); ++i) {
      out.Family(kMetrics[i]);
      for (const Cpu& cpu : cpus_)
        out.Sample({{"cpu", cpu.number}}, i < 2 ? cpu.values[i] / kNanoseconds : cpu.values[i]);
    }
    return {};
  }

 private:
  struct Cpu {
    std::string_view number;
    std::array<double, kMetrics.size()> values;
  };
  const std::string path_;
  FileReader files_;
  std::vector<Cpu> cpus_;
};

}  // namespace

MILLRACE_COLLECTOR(Schedstat) = {"schedstat", true, "Time tasks ran and waited, by processor",
                                 nullptr, &MakeCollector<Schedstat>};

}  // namespace millrace::node
