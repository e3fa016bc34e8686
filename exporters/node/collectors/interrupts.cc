#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Interrupts : public Collector {
 public:
  Interrupts(const Context& context, NameFilter filter)
      : path_(context.paths.Proc("interrupts")),
        zeros_(context.flags.GetSwitch("collector.interrupts.include-zeros")),
        filter_(std::move(filter)) {}

  // The header names the processors; a line is "name: count..., controller and devices".
  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    if (!NextLine(rest, line)) return BadContent(path_, "content", "");
    std::size_t cpus = 0;
    while (!NextWord(line).empty()) ++cpus;
    out.Family("node_interrupts_total", kCounter, "Interrupts by processor and source.");
    while (NextLine(rest, line)) MILLRACE_TRY(Line(out, line, cpus));
    return {};
  }

 private:
  Status Line(MetricWriter& out, std::string_view line, std::size_t cpus) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return {};
    const std::string_view name = Trim(line.substr(0, colon));
    std::string_view rest = line.substr(colon + 1);
    counts_.clear();
    for (std::size_t i = 0; i < cpus; ++i) counts_.push_back(NextWord(rest));
    std::string_view info = NextWord(rest);
    if (info.empty()) return {};  // ERR and MIS have a single count
    const bool numbered = ParseNumber<unsigned>(name).has_value();
    words_.assign(numbered ? std::string_view() : info);
    for (auto word = NextWord(rest); !word.empty(); word = NextWord(rest)) {
      if (!words_.empty()) words_ += ' ';
      words_ += word;
    }
    const std::string_view devices = numbered ? std::string_view(words_) : std::string_view();
    if (!numbered) info = words_;
    key_.assign(name).append(";").append(info).append(";").append(devices);
    if (filter_.Ignored(key_)) return {};
    for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
      const auto value = ParseNumber<double>(counts_[cpu]);
      if (!value) return BadContent(path_, "number", counts_[cpu]);
      if (*value == 0 && !zeros_) continue;
      out.Sample(
          {{"cpu", NumberText(cpu).view()}, {"devices", devices}, {"info", info}, {"type", name}},
          *value);
    }
    return {};
  }

  const std::string path_;
  const bool zeros_;
  NameFilter filter_;
  FileReader files_;
  std::vector<std::string_view> counts_;
  std::string words_, key_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.interrupts.name-include", "",
             "Regexp of \"name;info;devices\" to include (not together with name-exclude).");
  flags.Text("collector.interrupts.name-exclude", "",
             "Regexp of \"name;info;devices\" to leave out (not together with name-include).");
  flags.Switch("collector.interrupts.include-zeros", true, "Write counts of zero as well.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(NameFilter filter,
                  NameFilter::Make(context.flags.GetText("collector.interrupts.name-exclude"),
                                   context.flags.GetText("collector.interrupts.name-include")));
  return std::make_unique<Interrupts>(context, std::move(filter));
}

}  // namespace

MILLRACE_COLLECTOR(Interrupts) = {"interrupts", false, "Interrupts by processor and source",
                                  &Declare, &Make};

}  // namespace millrace::node
