// Beyond node_exporter: restarts of containers, seen by their control group being made anew.
#include <map>

#include "exporters/node/attributes.h"
#include "exporters/node/cgroup_tree.h"

namespace millrace::node {
namespace {

/// A container keeps its identifier over a restart (docker restart, a restart policy), but its
/// control group is removed and made again with another inode. Kubernetes makes a container with
/// another identifier instead; kube-state-metrics counts those.
class ContainerRestarts : public Collector {
 public:
  explicit ContainerRestarts(const Context& context)
      : tree_(context.paths.Sys("fs/cgroup")),
        most_(static_cast<std::size_t>(
            context.flags.GetInteger("collector.container_restarts.max-cgroups"))) {}

  Status Collect(MetricWriter& out) override {
    ++round_;
    MILLRACE_TRY(tree_.Walk(most_, [this](const Cgroup& group) {
      const CgroupOwner owner = OwnerOf(group.path);
      if (owner.container.empty()) return;
      // Groups that a container makes inside of its own are not the container.
      if (!BaseName(group.path).ends_with(owner.container) &&
          !BaseName(group.path).ends_with(".scope"))
        return;
      See(owner, group.id);
    }));
    Forget();
    out.Family("node_container_restarts_total", kCounter,
               "Restarts of a container since the exporter was started.");
    for (const auto& [id, c] : containers_)
      out.Sample({{"container", id}, {"pod", c.pod}}, c.restarts);
    return {};
  }

 private:
  struct Container {
    std::string pod;
    std::uint64_t group = 0;
    double restarts = 0;
    std::uint64_t seen = 0;  ///< Round.
  };
  static constexpr std::uint64_t kForgetAfter = 20;
  static constexpr std::size_t kMost = 10'000;

  void See(const CgroupOwner& owner, std::uint64_t group) {
    const auto at = containers_.find(owner.container);
    if (at != containers_.end()) {
      if (at->second.group != group) at->second.restarts += 1;
      at->second.group = group;
      at->second.seen = round_;
      return;
    }
    if (containers_.size() < kMost)
      containers_.emplace(owner.container, Container{owner.pod, group, 0, round_});
  }

  /// A container that restarts is away for a while; one that is away for long was removed.
  void Forget() {
    std::erase_if(containers_,
                  [this](const auto& c) { return round_ - c.second.seen > kForgetAfter; });
  }

  CgroupTree tree_;
  const std::size_t most_;
  std::map<std::string, Container, std::less<>> containers_;
  std::uint64_t round_ = 0;
};

void Declare(FlagSet& flags) {
  flags.Integer("collector.container_restarts.max-cgroups", 2000,
                "Most control groups to look at.");
}

}  // namespace

MILLRACE_COLLECTOR(ContainerRestarts) = {"container_restarts", false, "Restarts of containers",
                                         &Declare, &MakeCollector<ContainerRestarts>};

}  // namespace millrace::node
