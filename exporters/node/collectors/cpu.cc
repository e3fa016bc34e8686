#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

#include "common/log/log.h"
#include "exporters/node/collector.h"
#include "exporters/node/cpus.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/registry.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Columns of a cpu line of /proc/stat; the last two are written as a family of their own.
constexpr std::array<std::string_view, 8> kModes = {"user",   "nice", "system",  "idle",
                                                    "iowait", "irq",  "softirq", "steal"};
constexpr std::size_t kColumns = 10;
constexpr std::size_t kIdle = 3;
constexpr double kTicksPerSecond = 100;  // USER_HZ on every architecture we build for
// Counters may step back a little while a processor is idle; more is a processor that was taken
// out and put back.
constexpr double kHotplugSeconds = 3;

class CpuCollector : public Collector {
 public:
  struct Options {
    bool guest, info, frequency;
    std::optional<Pattern> flags, bugs;
  };

  CpuCollector(const Context& context, Options options, std::vector<unsigned> isolated)
      : stat_(context.paths.Proc("stat")),
        cpuinfo_(context.paths.Proc("cpuinfo")),
        root_(context.paths.Sys("devices/system/cpu")),
        options_(std::move(options)),
        isolated_(std::move(isolated)) {}

  Status Collect(MetricWriter& out) override {
    if (options_.info) MILLRACE_TRY(WriteInfo(out));
    MILLRACE_TRY(ReadStat());
    WriteSeconds(out);
    if (!isolated_.empty()) {
      out.Family("node_cpu_isolated", kGauge, "1 for processors kept from the scheduler.");
      for (const unsigned cpu : isolated_) out.Sample({{"cpu", NumberText(cpu).view()}}, 1);
    }
    const auto& cpus = dirs_.Read(root_);
    WriteThrottles(out, cpus);
    WriteOnline(out, cpus);
    return {};
  }

 private:
  struct Seconds {
    unsigned cpu = 0;
    bool seen = false;
    std::array<double, kColumns> value{};
  };

  // One processor of /proc/cpuinfo; views into the file.
  struct Info {
    std::string_view processor, package, core, vendor, family, model, model_name, microcode,
        stepping, cache_size, flags, bugs;
    double hertz = 0;
  };

  Status ReadStat() {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(stat_));
    for (Seconds& s : seconds_) s.seen = false;
    std::size_t position = 0;
    std::string_view line;
    while (NextLine(rest, line)) {
      if (!line.starts_with("cpu") || line.starts_with("cpu ")) continue;
      std::string_view words = line;
      const auto cpu = ParseNumber<unsigned>(NextWord(words).substr(3));
      if (!cpu) return BadContent(stat_, "line", line);
      std::array<double, kColumns> now{};
      for (double& column : now) {
        const std::string_view word = NextWord(words);
        if (word.empty()) break;  // older kernels have fewer columns
        const auto ticks = ParseNumber<std::uint64_t>(word);
        if (!ticks) return BadContent(stat_, "number", word);
        column = static_cast<double>(*ticks) / kTicksPerSecond;
      }
      Update(At(*cpu, position++), now);
    }
    seconds_.erase(
        std::remove_if(seconds_.begin(), seconds_.end(), [](const Seconds& s) { return !s.seen; }),
        seconds_.end());
    return {};
  }

  // Lines come in the same order at every scrape, so the guess is nearly always right.
  Seconds& At(unsigned cpu, std::size_t guess) {
    if (guess < seconds_.size() && seconds_[guess].cpu == cpu) return seconds_[guess];
    for (Seconds& s : seconds_)
      if (s.cpu == cpu) return s;
    Seconds& s = seconds_.emplace_back();
    s.cpu = cpu;
    return s;
  }

  static void Update(Seconds& s, const std::array<double, kColumns>& now) {
    if (s.value[kIdle] - now[kIdle] >= kHotplugSeconds) s.value = {};
    for (std::size_t i = 0; i < kColumns; ++i) s.value[i] = std::max(s.value[i], now[i]);
    s.seen = true;
  }

  void WriteSeconds(MetricWriter& out) {
    out.Family("node_cpu_seconds_total", kCounter, "Seconds a processor spent in a mode.");
    for (const Seconds& s : seconds_) {
      const NumberText cpu(s.cpu);
      for (std::size_t i = 0; i < kModes.size(); ++i)
        out.Sample({{"cpu", cpu.view()}, {"mode", kModes[i]}}, s.value[i]);
    }
    if (!options_.guest) return;
    out.Family("node_cpu_guest_seconds_total", kCounter,
               "Seconds a processor spent in guests, which the other family counts as well.");
    for (const Seconds& s : seconds_) {
      const NumberText cpu(s.cpu);
      out.Sample({{"cpu", cpu.view()}, {"mode", "user"}}, s.value[8]);
      out.Sample({{"cpu", cpu.view()}, {"mode", "nice"}}, s.value[9]);
    }
  }

  Status WriteInfo(MetricWriter& out) {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(cpuinfo_));
    infos_.clear();
    std::string_view line;
    while (NextLine(rest, line)) {
      const auto colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      const std::string_view key = Trim(line.substr(0, colon));
      const std::string_view value = Trim(line.substr(colon + 1));
      if (key == "processor") {
        if (!ParseNumber<unsigned>(value)) return BadContent(cpuinfo_, "processor", value);
        infos_.emplace_back().processor = value;
      } else if (!infos_.empty()) {
        SetInfo(infos_.back(), key, value);
      }
    }
    if (infos_.empty()) return BadContent(cpuinfo_, "content", "");
    out.Family("node_cpu_info", kGauge, "Always 1; what /proc/cpuinfo says of a processor.");
    for (const Info& i : infos_)
      out.Sample({{"cachesize", i.cache_size},
                  {"core", i.core},
                  {"cpu", i.processor},
                  {"family", i.family},
                  {"microcode", i.microcode},
                  {"model", i.model},
                  {"model_name", i.model_name},
                  {"package", i.package},
                  {"stepping", i.stepping},
                  {"vendor", i.vendor}},
                 1);
    if (options_.frequency) {
      out.Family("node_cpu_frequency_hertz", kGauge, "Frequency of a processor, in hertz.");
      for (const Info& i : infos_)
        out.Sample({{"core", i.core}, {"cpu", i.processor}, {"package", i.package}}, i.hertz);
    }
    WriteWords(out, options_.flags, "node_cpu_flag_info", "flag", infos_[0].flags);
    WriteWords(out, options_.bugs, "node_cpu_bug_info", "bug", infos_[0].bugs);
    return {};
  }

  static void SetInfo(Info& info, std::string_view key, std::string_view value) {
    if (key == "vendor" || key == "vendor_id" || key == "CPU implementer") info.vendor = value;
    if (key == "cpu family" || key == "CPU architecture") info.family = value;
    if (key == "model" || key == "CPU part") info.model = value;
    if (key == "model name") info.model_name = value;
    if (key == "stepping" || key == "CPU revision") info.stepping = value;
    if (key == "microcode") info.microcode = value;
    if (key == "cache size") info.cache_size = value;
    if (key == "physical id") info.package = value;
    if (key == "core id") info.core = value;
    if (key == "flags" || key == "Features") info.flags = value;
    if (key == "bugs") info.bugs = value;
    if (key == "cpu MHz") info.hertz = ParseNumber<double>(value).value_or(0) * 1e6;
  }

  static void WriteWords(MetricWriter& out, const std::optional<Pattern>& wanted,
                         std::string_view name, std::string_view label, std::string_view words) {
    if (!wanted) return;
    out.Family(name, kGauge, "Always 1; a word of the first processor's line in /proc/cpuinfo.");
    for (auto word = NextWord(words); !word.empty(); word = NextWord(words))
      if (wanted->Matches(word)) out.Sample({{label, word}}, 1);
  }

  // Processors of one core, and those of one package, share a counter: it is read once.
  void WriteThrottles(MetricWriter& out, const std::vector<CpuDirs::Cpu>& cpus) {
    cores_.clear();
    packages_.clear();
    for (const auto& cpu : cpus) {
      const auto package =
          files_.TryUnsigned(JoinPath(path_, {root_, cpu.name, "topology/physical_package_id"}));
      if (!package) continue;
      const auto core = files_.TryUnsigned(JoinPath(path_, {root_, cpu.name, "topology/core_id"}));
      if (!core) continue;
      const std::pair key(*package, *core);
      if (std::find_if(cores_.begin(), cores_.end(),
                       [&](const auto& c) { return c.first == key; }) == cores_.end())
        if (const auto n = files_.TryUnsigned(
                JoinPath(path_, {root_, cpu.name, "thermal_throttle/core_throttle_count"})))
          cores_.emplace_back(key, static_cast<double>(*n));
      if (std::find_if(packages_.begin(), packages_.end(),
                       [&](const auto& p) { return p.first == *package; }) == packages_.end())
        if (const auto n = files_.TryUnsigned(
                JoinPath(path_, {root_, cpu.name, "thermal_throttle/package_throttle_count"})))
          packages_.emplace_back(*package, static_cast<double>(*n));
    }
    out.Family("node_cpu_core_throttles_total", kCounter, "Times a core was throttled.");
    for (const auto& [key, count] : cores_)
      out.Sample(
          {{"core", NumberText(key.second).view()}, {"package", NumberText(key.first).view()}},
          count);
    out.Family("node_cpu_package_throttles_total", kCounter, "Times a package was throttled.");
    for (const auto& [package, count] : packages_)
      out.Sample({{"package", NumberText(package).view()}}, count);
  }

  void WriteOnline(MetricWriter& out, const std::vector<CpuDirs::Cpu>& cpus) {
    if (cpus.empty()) return;
    // Without hotplug support the first processor has no such file.
    if (!files_.Try(JoinPath(path_, {root_, cpus[0].name, "online"})) &&
        files_.last_errno() == ENOENT)
      return;
    out.Family("node_cpu_online", kGauge, "1 for processors that are online.");
    for (const auto& cpu : cpus) {
      const auto online = files_.Try(JoinPath(path_, {root_, cpu.name, "online"}));
      out.Sample({{"cpu", cpu.digits()}}, online == "1" ? 1 : 0);
    }
  }

  const std::string stat_, cpuinfo_, root_;
  const Options options_;
  const std::vector<unsigned> isolated_;
  FileReader files_;
  CpuDirs dirs_;
  std::string path_;
  std::vector<Seconds> seconds_;
  std::vector<Info> infos_;
  std::vector<std::pair<std::pair<std::uint64_t, std::uint64_t>, double>> cores_;
  std::vector<std::pair<std::uint64_t, double>> packages_;
};

void Declare(FlagSet& flags) {
  flags.Switch("collector.cpu.guest", true, "Write node_cpu_guest_seconds_total.");
  flags.Switch("collector.cpu.info", false, "Write node_cpu_info.");
  flags.Text("collector.cpu.info.flags-include", "",
             "Regexp of the words of the flags line to write as node_cpu_flag_info.");
  flags.Text("collector.cpu.info.bugs-include", "",
             "Regexp of the words of the bugs line to write as node_cpu_bug_info.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  CpuCollector::Options o;
  o.guest = context.flags.GetSwitch("collector.cpu.guest");
  o.info = context.flags.GetSwitch("collector.cpu.info");
  o.frequency = IsEnabled(context.flags, "cpufreq");
  const auto compile = [&](std::string_view flag, std::optional<Pattern>& pattern) -> Status {
    const std::string& text = context.flags.GetText(flag);
    if (text.empty()) return {};
    MILLRACE_ASSIGN(pattern, Pattern::Make(text));
    o.info = true;
    return {};
  };
  MILLRACE_TRY(compile("collector.cpu.info.flags-include", o.flags));
  MILLRACE_TRY(compile("collector.cpu.info.bugs-include", o.bugs));
  std::vector<unsigned> isolated;
  FileReader files;
  if (const auto text = files.Try(context.paths.Sys("devices/system/cpu/isolated"))) {
    MILLRACE_ASSIGN(isolated, ParseCpuList(*text));
  }
  return std::make_unique<CpuCollector>(context, std::move(o), std::move(isolated));
}

}  // namespace

MILLRACE_COLLECTOR(Cpu) = {"cpu", true, "Time of the processors by mode", &Declare, &Make};

}  // namespace millrace::node
