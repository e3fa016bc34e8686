#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class CpuVulnerabilities : public Collector {
 public:
  explicit CpuVulnerabilities(const Context& context)
      : root_(context.paths.Sys("devices/system/cpu/vulnerabilities")) {}

  // "Not affected", "Vulnerable: no microcode", "Mitigation: PTI", "Unknown: ..."; see
  // Documentation/ABI/testing/sysfs-devices-system-cpu.
  Status Collect(MetricWriter& out) override {
    if (!names_.Read(root_)) return {};
    out.Family("node_cpu_vulnerabilities_info", kGauge,
               "Always 1; state and mitigation of a vulnerability of the processor.");
    for (const std::string_view name : names_) {
      MILLRACE_ASSIGN(const std::string_view raw, files_.Read(JoinPath(path_, {root_, name})));
      std::string_view text = Trim(raw);
      const std::string lower = ToLower(text);
      std::string_view state = "unknown";
      mitigation_.clear();
      if (lower.starts_with("not affected")) {
        state = "not affected";
      } else {
        bool known = false;
        for (const std::string_view s : {"vulnerable", "mitigation", "unknown"}) {
          if (!lower.starts_with(s)) continue;
          state = s;
          known = true;
        }
        if (known) NextWord(text);
        JoinWords(known ? text : Trim(raw), known);
      }
      out.Sample({{"codename", name}, {"mitigation", mitigation_}, {"state", state}}, 1);
    }
    return {};
  }

 private:
  void JoinWords(std::string_view text, bool words) {
    if (!words) {
      mitigation_.assign(text);
      return;
    }
    for (auto word = NextWord(text); !word.empty(); word = NextWord(text)) {
      if (!mitigation_.empty()) mitigation_ += ' ';
      mitigation_ += word;
    }
  }

  const std::string root_;
  FileReader files_;
  DirList names_;
  std::string path_, mitigation_;
};

}  // namespace

MILLRACE_COLLECTOR(CpuVulnerabilities) = {"cpu_vulnerabilities", false,
                                          "Vulnerabilities of the processor", nullptr,
                                          &MakeCollector<CpuVulnerabilities>};

}  // namespace millrace::node
