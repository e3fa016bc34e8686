// Beyond node_exporter: which unit or container the kernel killed something in.
#include "exporters/node/attributes.h"
#include "exporters/node/cgroup_tree.h"
#include "exporters/node/read_once.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

/// The number behind "oom_kill " in memory.events (v2) or memory.oom_control (v1).
std::optional<double> ParseOomKills(std::string_view text) {
  std::string_view line;
  while (NextLine(text, line)) {
    const Words<2> words(line);
    if (words[0] == "oom_kill") return ParseNumber<double>(words[1]);
  }
  return std::nullopt;
}

class OomKills : public Collector {
 public:
  explicit OomKills(const Context& context)
      : tree_(context.paths.Sys("fs/cgroup")),
        most_(
            static_cast<std::size_t>(context.flags.GetInteger("collector.oom_kills.max-cgroups"))) {
  }

  Status Collect(MetricWriter& out) override {
    out.Family("node_oom_kills_total", kCounter,
               "Processes the kernel killed in a control group because memory ran out.");
    MILLRACE_TRY(tree_.Walk(most_, [&](const Cgroup& group) {
      const CgroupOwner owner = OwnerOf(group.path);
      if (owner.unit.empty() && owner.container.empty()) return;  // slices repeat their members
      // The local file does not count what happened in the groups below.
      static constexpr std::string_view kFiles[] = {"memory.events.local", "memory.events",
                                                    "memory.oom_control"};
      for (const std::string_view file : kFiles) {
        JoinPath(path_, {group.directory, file});
        if (ReadOnce(path_, text_) != 0) continue;
        if (const auto kills = ParseOomKills(text_))
          out.Sample({{"cgroup", group.path},
                      {"container", owner.container},
                      {"pod", owner.pod},
                      {"unit", owner.unit}},
                     *kills);
        return;
      }
    }));
    out.Gauge("node_oom_kills_truncated",
              "1 if there were more control groups than --collector.oom_kills.max-cgroups.",
              tree_.truncated() ? 1 : 0);
    return {};
  }

 private:
  CgroupTree tree_;
  const std::size_t most_;
  std::string path_, text_;
};

void Declare(FlagSet& flags) {
  flags.Integer("collector.oom_kills.max-cgroups", 2000, "Most control groups to look at.");
}

}  // namespace

MILLRACE_COLLECTOR(OomKills) = {"oom_kills", false, "OOM kills by unit and container", &Declare,
                                &MakeCollector<OomKills>};

}  // namespace millrace::node
