#include <algorithm>
#include <array>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::array<std::string_view, 10> kTypes = {
    "HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"};

class Softirqs : public Collector {
 public:
  explicit Softirqs(const Context& context) : path_(context.paths.Proc("softirqs")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    if (!NextLine(rest, line)) return BadContent(path_, "content", "");
    out.Family("node_softirqs_functions_total", kCounter, "Soft interrupts by processor and type.");
    while (NextLine(rest, line)) {
      std::string_view type = NextWord(line);
      if (!type.ends_with(':')) continue;
      type.remove_suffix(1);
      if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end()) continue;
      for (unsigned cpu = 0;; ++cpu) {
        const std::string_view word = NextWord(line);
        if (word.empty()) break;
        const auto value = ParseNumber<std::uint64_t>(word);
        if (!value) return BadContent(path_, "number", word);
        out.Sample({{"cpu", NumberText(cpu).view()}, {"type", type}}, static_cast<double>(*value));
      }
    }
    return {};
  }

 private:
  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Softirqs) = {"softirqs", false, "Soft interrupts by processor and type", nullptr,
                                &MakeCollector<Softirqs>};

}  // namespace millrace::node
