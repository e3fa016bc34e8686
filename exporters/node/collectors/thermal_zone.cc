#include <string>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class ThermalZone : public Collector {
 public:
  explicit ThermalZone(const Context& context) : root_(context.paths.Sys("class/thermal")) {}

  Status Collect(MetricWriter& out) override {
    if (!names_.Read(root_)) return {};
    out.Family("node_thermal_zone_temp", kGauge, "Temperature of a zone, in degrees Celsius.");
    for (const std::string_view name : names_) {
      const auto zone = NumberBehind(name, "thermal_zone");
      if (zone.empty()) continue;
      // A sensor that is asleep cannot be read and counts as 0.
      const auto temperature = files_.TrySigned(JoinPath(path_, {root_, name, "temp"})).value_or(0);
      type_.assign(files_.Try(JoinPath(path_, {root_, name, "type"})).value_or(""));
      out.Sample({{"type", type_}, {"zone", zone}}, static_cast<double>(temperature) / 1000.0);
    }
    for (const std::string_view name : names_) {
      const auto device = NumberBehind(name, "cooling_device");
      if (device.empty()) continue;
      MILLRACE_ASSIGN(const std::string_view type,
                      files_.Read(JoinPath(path_, {root_, name, "type"})));
      type_.assign(Trim(type));
      MILLRACE_TRY(State(out, name, device, "max_state", "node_cooling_device_max_state",
                         "Highest state of a cooling device."));
      MILLRACE_TRY(State(out, name, device, "cur_state", "node_cooling_device_cur_state",
                         "State of a cooling device now."));
    }
    return {};
  }

 private:
  static std::string_view NumberBehind(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return {};
    name.remove_prefix(prefix.size());
    return ParseNumber<unsigned>(name) ? name : std::string_view();
  }

  Status State(MetricWriter& out, std::string_view name, std::string_view device,
               std::string_view file, std::string_view family, std::string_view help) {
    const auto value = files_.TrySigned(JoinPath(path_, {root_, name, file}));
    // A device that does not say is left out: cur_state of some is EINVAL.
    if (!value && files_.last_errno() == EINVAL) return {};
    if (!value) return BadContent(path_, "or missing number", "");
    out.Family(family, kGauge, help);
    out.Sample({{"name", device}, {"type", type_}}, static_cast<double>(*value));
    return {};
  }

  const std::string root_;
  FileReader files_;
  DirList names_;
  std::string path_, type_;
};

}  // namespace

MILLRACE_COLLECTOR(ThermalZone) = {"thermal_zone", true, "Thermal zones and cooling devices",
                                   nullptr, &MakeCollector<ThermalZone>};

}  // namespace millrace::node
