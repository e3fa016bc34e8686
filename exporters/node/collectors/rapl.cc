#include <map>
#include <string>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Rapl : public Collector {
 public:
  explicit Rapl(const Context& context)
      : root_(context.paths.Sys("class/powercap")),
        zone_label_(context.flags.GetSwitch("collector.rapl.enable-zone-label")) {}

  Status Collect(MetricWriter& out) override {
    auto listed = zones_.Read(root_);
    if (!listed) {
      // Energy is readable by root only, against power side channels.
      if (listed.error().code == ErrorCode::kPermission) return NoData(listed.error().message);
      return listed;
    }
    used_.clear();
    for (const std::string_view dir : zones_) {
      const auto name = files_.Try(JoinPath(path_, {root_, dir, "name"}));
      if (name) MILLRACE_TRY(Zone(out, dir, std::string(*name)));
    }
    return {};
  }

 private:
  // "package-0" is index 0 of package; several zones called "dram" are numbered as they come.
  Status Zone(MetricWriter& out, std::string_view dir, std::string name) {
    unsigned index = used_[name];
    const auto dash = name.find('-');
    if (dash != std::string::npos && dash == name.rfind('-')) {
      if (const auto number = ParseNumber<unsigned>(std::string_view(name).substr(dash + 1))) {
        index = *number;
        name.resize(dash);
      }
    }
    used_[name] = index + 1;
    const auto microjoules = files_.TryUnsigned(JoinPath(path_, {root_, dir, "energy_uj"}));
    if (!microjoules) {
      if (files_.last_errno() == EACCES || files_.last_errno() == EPERM)
        return NoData(path_ + ": permission denied");
      return BadContent(path_, "or missing number", "");
    }
    const double joules = static_cast<double>(*microjoules) / 1000000.0;
    const std::string zone_path = root_ + "/" + std::string(dir);
    const NumberText number(index);
    if (zone_label_) {
      out.Family("node_rapl_joules_total", kCounter, "Energy used by a RAPL zone, in joules.");
      out.Sample({{"index", number.view()}, {"path", zone_path}, {"rapl_zone", name}}, joules);
      return {};
    }
    std::string family = "node_rapl_";
    for (const char c : name) {
      const bool fine =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
      family += fine ? c : '_';
    }
    out.Family(family + "_joules_total", kCounter, "Energy used by a RAPL zone, in joules.");
    out.Sample({{"index", number.view()}, {"path", zone_path}}, joules);
    return {};
  }

  const std::string root_;
  const bool zone_label_;
  FileReader files_;
  DirList zones_;
  std::string path_;
  std::map<std::string, unsigned> used_;
};

void Declare(FlagSet& flags) {
  flags.Switch("collector.rapl.enable-zone-label", false,
               "One family with the zone as a label instead of one family a zone.");
}

}  // namespace

MILLRACE_COLLECTOR(Rapl) = {"rapl", true, "Energy used by the processors (RAPL)", &Declare,
                            &MakeCollector<Rapl>};

}  // namespace millrace::node
