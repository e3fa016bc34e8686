#include <array>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Line {
  std::string_view key;
  Metric metric;
};
constexpr std::array<Line, 6> kLines = {{
    {"intr", {"node_intr_total", kCounter, "Interrupts that were served."}},
    {"ctxt", {"node_context_switches_total", kCounter, "Context switches."}},
    {"btime", {"node_boot_time_seconds", kGauge, "When the host booted, seconds since 1970."}},
    {"processes", {"node_forks_total", kCounter, "Processes and threads that were started."}},
    {"procs_running", {"node_procs_running", kGauge, "Tasks that can run."}},
    {"procs_blocked", {"node_procs_blocked", kGauge, "Tasks that wait for I/O."}},
}};
constexpr std::array<std::string_view, 10> kVectors = {
    "hi",           "timer",   "net_tx", "net_rx",  "block",
    "block_iopoll", "tasklet", "sched",  "hrtimer", "rcu"};

class Stat : public Collector {
 public:
  explicit Stat(const Context& context)
      : path_(context.paths.Proc("stat")),
        softirq_(context.flags.GetSwitch("collector.stat.softirq")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::array<double, kLines.size()> values{};
    std::array<double, kVectors.size()> vectors{};
    if (rest.empty()) return BadContent(path_, "content", "");
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view words = line;
      const std::string_view key = NextWord(words);
      for (std::size_t i = 0; i < kLines.size(); ++i) {
        if (kLines[i].key != key) continue;
        const auto value = NextUnsigned(words);
        if (!value) return BadContent(path_, "line", line);
        values[i] = static_cast<double>(*value);
        break;
      }
      if (key != "softirq") continue;
      NextWord(words);  // the sum
      for (double& vector : vectors) {
        const auto value = NextUnsigned(words);
        if (!value) return BadContent(path_, "line", line);
        vector = static_cast<double>(*value);
      }
    }
    for (std::size_t i = 0; i < kLines.size(); ++i) {
      out.Family(kLines[i].metric);
      out.Sample(values[i]);
    }
    if (!softirq_) return {};
    out.Family("node_softirqs_total", kCounter, "Soft interrupts by type.");
    for (std::size_t i = 0; i < kVectors.size(); ++i)
      out.Sample({{"vector", kVectors[i]}}, vectors[i]);
    return {};
  }

 private:
  const std::string path_;
  const bool softirq_;
  FileReader files_;
};

void Declare(FlagSet& flags) {
  flags.Switch("collector.stat.softirq", false, "Write node_softirqs_total.");
}

}  // namespace

MILLRACE_COLLECTOR(Stat) = {"stat", true, "Boot time, forks, interrupts, context switches",
                            &Declare, &MakeCollector<Stat>};

}  // namespace millrace::node
