// Beyond node_exporter: who waits for processor, memory or I/O, by control group.
#include <algorithm>
#include <array>
#include <vector>

#include "exporters/node/attributes.h"
#include "exporters/node/cgroup_tree.h"
#include "exporters/node/read_once.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::string_view kResources[] = {"cpu", "memory", "io"};
constexpr Metric kWaiting[] = {
    {"node_cgroup_pressure_cpu_waiting_seconds_total", kCounter,
     "Time in which something in a control group waited for a processor."},
    {"node_cgroup_pressure_memory_waiting_seconds_total", kCounter,
     "Time in which something in a control group waited for memory."},
    {"node_cgroup_pressure_io_waiting_seconds_total", kCounter,
     "Time in which something in a control group waited for I/O."}};
constexpr Metric kStalled[] = {
    {"node_cgroup_pressure_cpu_stalled_seconds_total", kCounter,
     "Time in which everything in a control group waited for a processor."},
    {"node_cgroup_pressure_memory_stalled_seconds_total", kCounter,
     "Time in which everything in a control group waited for memory."},
    {"node_cgroup_pressure_io_stalled_seconds_total", kCounter,
     "Time in which everything in a control group waited for I/O."}};

/// One file of Documentation/accounting/psi.rst; times in seconds.
struct Pressure {
  bool has_some = false, has_full = false;
  double some = 0, full = 0;  ///< Totals.
  double some_avg300 = 0;     ///< Percent.
};
Pressure ParsePressure(std::string_view text) {
  Pressure p;
  std::string_view line;
  while (NextLine(text, line)) {
    const Words<5> words(line);  // some avg10=.. avg60=.. avg300=.. total=..
    const auto value = [](std::string_view word, std::string_view key) {
      return word.starts_with(key) ? ParseNumber<double>(word.substr(key.size())) : std::nullopt;
    };
    const auto total = value(words[4], "total=");
    const auto average = value(words[3], "avg300=");
    if (!total || !average) continue;
    if (words[0] == "some") {
      p.has_some = true;
      p.some = *total / 1e6;
      p.some_avg300 = *average;
    } else if (words[0] == "full") {
      p.has_full = true;
      p.full = *total / 1e6;
    }
  }
  return p;
}

class CgroupPressure : public Collector {
 public:
  explicit CgroupPressure(const Context& context)
      : tree_(context.paths.Sys("fs/cgroup")),
        most_(static_cast<std::size_t>(
            context.flags.GetInteger("collector.cgroup_pressure.max-cgroups"))),
        top_(static_cast<std::size_t>(context.flags.GetInteger("collector.cgroup_pressure.top"))) {}

  Status Collect(MetricWriter& out) override {
    found_.clear();
    MILLRACE_TRY(tree_.Walk(most_, [this](const Cgroup& group) { Read(group); }));
    if (found_.empty()) return NoData("no pressure files in control groups (needs cgroup v2, PSI)");
    // Five minutes of averages: a shorter time would make series come and go.
    const std::size_t kept = std::min(top_, found_.size());
    std::partial_sort(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(kept),
                      found_.end(), [](const Found& a, const Found& b) {
                        return std::tuple(b.rank, b.total, std::string_view(a.path)) <
                               std::tuple(a.rank, a.total, std::string_view(b.path));
                      });
    found_.resize(kept);
    for (std::size_t i = 0; i < std::size(kResources); ++i) {
      for (const Found& f : found_) {
        const CgroupOwner owner = OwnerOf(f.path);
        const std::initializer_list<Label> labels = {{"cgroup", f.path},
                                                     {"container", owner.container},
                                                     {"pod", owner.pod},
                                                     {"unit", owner.unit}};
        const Pressure& p = f.pressure[i];
        if (p.has_some) Emit(out, kWaiting[i], labels, p.some);
        if (p.has_full) Emit(out, kStalled[i], labels, p.full);
      }
    }
    return {};
  }

 private:
  struct Found {
    std::string path;
    std::array<Pressure, std::size(kResources)> pressure;
    double rank = 0, total = 0;
  };

  void Read(const Cgroup& group) {
    Found f;
    bool any = false;
    for (std::size_t i = 0; i < std::size(kResources); ++i) {
      path_.assign(group.directory).append("/").append(kResources[i]).append(".pressure");
      if (ReadOnce(path_, text_) != 0) continue;
      f.pressure[i] = ParsePressure(text_);
      any |= f.pressure[i].has_some;
      f.rank = std::max(f.rank, f.pressure[i].some_avg300);
      f.total += f.pressure[i].some;
    }
    if (!any) return;
    f.path = group.path;
    found_.push_back(std::move(f));
  }

  CgroupTree tree_;
  const std::size_t most_, top_;
  std::vector<Found> found_;
  std::string path_, text_;
};

void Declare(FlagSet& flags) {
  flags.Integer("collector.cgroup_pressure.top", 10,
                "How many control groups to show, those under the most pressure.");
  flags.Integer("collector.cgroup_pressure.max-cgroups", 2000, "Most control groups to look at.");
}

}  // namespace

MILLRACE_COLLECTOR(CgroupPressure) = {"cgroup_pressure", false,
                                      "Pressure by control group, the top N", &Declare,
                                      &MakeCollector<CgroupPressure>};

}  // namespace millrace::node
