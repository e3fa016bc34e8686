#include <array>
#include <cerrno>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Resource {
  std::string_view file;
  Metric some, full;  // an empty name: not written
};
// "some" of irq and "full" of cpu mean nothing, see Documentation/accounting/psi.rst.
constexpr std::array<Resource, 4> kResources = {{
    {"pressure/cpu",
     {"node_pressure_cpu_waiting_seconds_total", kCounter, "Seconds tasks waited for a processor."},
     {}},
    {"pressure/io",
     {"node_pressure_io_waiting_seconds_total", kCounter, "Seconds some task waited for I/O."},
     {"node_pressure_io_stalled_seconds_total", kCounter, "Seconds all tasks waited for I/O."}},
    {"pressure/memory",
     {"node_pressure_memory_waiting_seconds_total", kCounter,
      "Seconds some task waited for memory."},
     {"node_pressure_memory_stalled_seconds_total", kCounter,
      "Seconds all tasks waited for memory."}},
    {"pressure/irq",
     {},
     {"node_pressure_irq_stalled_seconds_total", kCounter,
      "Seconds all tasks waited for interrupts."}},
}};

class Pressure : public Collector {
 public:
  explicit Pressure(const Context& context) {
    for (std::size_t i = 0; i < kResources.size(); ++i)
      paths_[i] = context.paths.Proc(kResources[i].file);
  }

  Status Collect(MetricWriter& out) override {
    bool found = false;
    for (std::size_t i = 0; i < kResources.size(); ++i) {
      auto text = files_.Read(paths_[i]);
      if (!text) {
        if (files_.last_errno() == ENOENT) continue;  // irq came with Linux 6.1
        if (files_.last_errno() == EOPNOTSUPP) return NoData("pressure is off; boot with psi=1");
        return tl::make_unexpected(std::move(text).error());
      }
      MILLRACE_TRY(One(out, kResources[i], paths_[i], *text));
      found = true;
    }
    return found ? Status() : NoData("no pressure information");
  }

 private:
  // "some avg10=0.06 avg60=0.21 avg300=0.99 total=8537362" (microseconds), then "full ...".
  static Status One(MetricWriter& out, const Resource& resource, const std::string& path,
                    std::string_view rest) {
    bool some = false;
    bool full = false;
    std::string_view line;
    while (NextLine(rest, line)) {
      const bool is_some = line.starts_with("some ");
      if (!is_some && !line.starts_with("full ")) continue;
      const auto at = line.find("total=");
      const auto total = at == std::string_view::npos
                             ? std::nullopt
                             : ParseNumber<std::uint64_t>(Trim(line.substr(at + 6)));
      if (!total) return BadContent(path, "line", line);
      (is_some ? some : full) = true;
      const Metric& metric = is_some ? resource.some : resource.full;
      if (metric.name.empty()) continue;
      out.Family(metric);
      // Twice, as the original: the last digit is then the same.
      out.Sample(static_cast<double>(*total) / 1000.0 / 1000.0);
    }
    if ((!some && !resource.some.name.empty()) || (!full && !resource.full.name.empty()))
      return NoData(path + ": a line is missing");
    return {};
  }

  std::array<std::string, kResources.size()> paths_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Pressure) = {"pressure", true, "Pressure stall information", nullptr,
                                &MakeCollector<Pressure>};

}  // namespace millrace::node
