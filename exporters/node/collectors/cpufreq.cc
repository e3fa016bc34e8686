#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/cpus.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Column {
  std::string_view file;
  Metric metric;
};
constexpr std::array<Column, 7> kColumns = {{
    {"cpuinfo_cur_freq",
     {"node_cpu_frequency_hertz", kGauge, "Frequency of a processor, in hertz."}},
    {"cpuinfo_avg_freq",
     {"node_cpu_frequency_avg_hertz", kGauge, "Average frequency of a processor, in hertz."}},
    {"cpuinfo_min_freq",
     {"node_cpu_frequency_min_hertz", kGauge, "Lowest frequency of a processor, in hertz."}},
    {"cpuinfo_max_freq",
     {"node_cpu_frequency_max_hertz", kGauge, "Highest frequency of a processor, in hertz."}},
    {"scaling_cur_freq",
     {"node_cpu_scaling_frequency_hertz", kGauge, "Frequency the governor has set, in hertz."}},
    {"scaling_min_freq",
     {"node_cpu_scaling_frequency_min_hertz", kGauge,
      "Lowest frequency the governor may set, in hertz."}},
    {"scaling_max_freq",
     {"node_cpu_scaling_frequency_max_hertz", kGauge,
      "Highest frequency the governor may set, in hertz."}},
}};
constexpr double kHertzPerKilohertz = 1000;

class Cpufreq : public Collector {
 public:
  explicit Cpufreq(const Context& context) : root_(context.paths.Sys("devices/system/cpu")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(const std::string_view text, files_.Read(JoinPath(path_, {root_, "offline"})));
    MILLRACE_ASSIGN(const std::vector<unsigned> offline, ParseCpuList(text));
    const auto& cpus = dirs_.Read(root_);
    if (cpus.empty()) return NoData("no processors in sysfs");
    for (const auto& cpu : cpus) {
      if (std::find(offline.begin(), offline.end(), cpu.number) != offline.end()) continue;
      dir_.assign(JoinPath(path_, {root_, cpu.name, "cpufreq"}));
      if (IsDirectory(dir_)) MILLRACE_TRY(One(out, cpu.digits()));
    }
    return {};
  }

 private:
  Status One(MetricWriter& out, std::string_view cpu) {
    for (const Column& column : kColumns) {
      const auto text = files_.Try(JoinPath(path_, {dir_, column.file}));
      if (!text) {
        if (files_.last_errno() == ENOENT || files_.last_errno() == EACCES) continue;
        return FailErrno("read " + path_, files_.last_errno());
      }
      const auto kilohertz = ParseNumber<std::uint64_t>(*text);
      if (!kilohertz) return BadContent(path_, "number", *text);
      out.Family(column.metric);
      out.Sample({{"cpu", cpu}}, static_cast<double>(*kilohertz) * kHertzPerKilohertz);
    }
    MILLRACE_ASSIGN(const std::string_view now,
                    files_.Read(JoinPath(path_, {dir_, "scaling_governor"})));
    governor_.assign(Trim(now));
    MILLRACE_ASSIGN(const std::string_view all,
                    files_.Read(JoinPath(path_, {dir_, "scaling_available_governors"})));
    if (governor_.empty()) return {};
    out.Family("node_cpu_scaling_governor", kGauge, "1 for the governor in use, 0 for the others.");
    std::string_view rest = Trim(all);
    do {
      const std::string_view name = NextPiece(rest, ' ');
      out.Sample({{"cpu", cpu}, {"governor", name}}, name == governor_ ? 1 : 0);
    } while (!rest.empty());
    return {};
  }

  const std::string root_;
  FileReader files_;
  CpuDirs dirs_;
  std::string path_, dir_, governor_;
};

}  // namespace

MILLRACE_COLLECTOR(Cpufreq) = {"cpufreq", true, "Frequencies and governors of the processors",
                               nullptr, &MakeCollector<Cpufreq>};

}  // namespace millrace::node
