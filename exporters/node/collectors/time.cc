#include <chrono>
#include <ctime>
#include <string>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Time : public Collector {
 public:
  explicit Time(const Context& context) : root_(context.paths.Sys("devices/system/clocksource")) {}

  Status Collect(MetricWriter& out) override {
    const auto now = std::chrono::system_clock::now();
    const double seconds =
        static_cast<double>(std::chrono::nanoseconds(now.time_since_epoch()).count()) / 1e9;
    out.Gauge("node_time_seconds", "Time of the host, seconds since 1970.", seconds);
    const std::time_t whole = std::chrono::system_clock::to_time_t(now);
    std::tm local{};
    ::localtime_r(&whole, &local);
    out.Family("node_time_zone_offset_seconds", kGauge, "Offset of the host's time zone.");
    out.Sample({{"time_zone", local.tm_zone}}, static_cast<double>(local.tm_gmtoff));
    return ClockSources(out);
  }

 private:
  Status ClockSources(MetricWriter& out) {
    if (!names_.Read(root_)) return {};
    unsigned number = 0;
    for (const std::string_view name : names_) {
      if (!name.starts_with("clocksource") || !ParseNumber<unsigned>(name.substr(11))) continue;
      const NumberText device(number++);
      MILLRACE_ASSIGN(std::string_view all,
                      files_.Read(JoinPath(path_, {root_, name, "available_clocksource"})));
      out.Family("node_time_clocksource_available_info", kGauge,
                 "Always 1; a clock the host can use.");
      for (auto clock = NextWord(all); !clock.empty(); clock = NextWord(all))
        out.Sample({{"clocksource", clock}, {"device", device.view()}}, 1);
      MILLRACE_ASSIGN(const std::string_view current,
                      files_.Read(JoinPath(path_, {root_, name, "current_clocksource"})));
      out.Family("node_time_clocksource_current_info", kGauge,
                 "Always 1; the clock the host uses.");
      out.Sample({{"clocksource", Trim(current)}, {"device", device.view()}}, 1);
    }
    return {};
  }

  const std::string root_;
  FileReader files_;
  DirList names_;
  std::string path_;
};

}  // namespace

MILLRACE_COLLECTOR(Time) = {"time", true, "Time of the host", nullptr, &MakeCollector<Time>};

}  // namespace millrace::node
