#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct File {
  std::string_view name;
  Metric metric;
  double divisor = 1;
};
// Documentation/admin-guide/mm/ksm.rst
constexpr File kFiles[] = {
    {"full_scans", {"node_ksmd_full_scans_total", kCounter, "Scans of all mergeable areas."}},
    {"merge_across_nodes",
     {"node_ksmd_merge_across_nodes", kGauge, "1 if pages of different NUMA nodes are merged."}},
    {"pages_shared", {"node_ksmd_pages_shared", kGauge, "Shared pages in use."}},
    {"pages_sharing", {"node_ksmd_pages_sharing", kGauge, "Places that share them."}},
    {"pages_to_scan", {"node_ksmd_pages_to_scan", kGauge, "Pages looked at before a sleep."}},
    {"pages_unshared",
     {"node_ksmd_pages_unshared", kGauge, "Pages checked repeatedly and never equal."}},
    {"pages_volatile", {"node_ksmd_pages_volatile", kGauge, "Pages that change too fast."}},
    {"run", {"node_ksmd_run", kGauge, "0 = stopped, 1 = running, 2 = unmerged and stopped."}},
    {"sleep_millisecs", {"node_ksmd_sleep_seconds", kGauge, "Sleep between two looks."}, 1000},
};

class Ksmd : public Collector {
 public:
  explicit Ksmd(const Context& context) : directory_(context.paths.Sys("kernel/mm/ksm")) {}

  Status Collect(MetricWriter& out) override {
    for (const File& f : kFiles) {
      MILLRACE_ASSIGN(const std::string_view text,
                      files_.Read(JoinPath(path_, {directory_, f.name})));
      const auto value = ParseNumber<std::uint64_t>(Trim(text));
      if (!value) return BadContent(path_, "number", text);
      Emit(out, f.metric, {}, static_cast<double>(*value) / f.divisor);
    }
    return {};
  }

 private:
  const std::string directory_;
  FileReader files_;
  std::string path_;
};

}  // namespace

MILLRACE_COLLECTOR(Ksmd) = {"ksmd", false, "Kernel same-page merging", nullptr,
                            &MakeCollector<Ksmd>};

}  // namespace millrace::node
