#include <string>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Vmstat : public Collector {
 public:
  Vmstat(const Context& context, NameFilter fields)
      : path_(context.paths.Proc("vmstat")), fields_(std::move(fields)) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    while (NextLine(rest, line)) {
      const std::string_view name = NextWord(line);
      if (fields_.Ignored(name)) continue;
      const std::string_view number = NextWord(line);
      const auto value = ParseNumber<double>(number);
      if (!value) return BadContent(path_, "number", number);
      name_.assign("node_vmstat_").append(name);
      out.Family(name_, kUntyped, "A field of /proc/vmstat.");
      out.Sample(*value);
    }
    return {};
  }

 private:
  const std::string path_;
  NameFilter fields_;
  FileReader files_;
  std::string name_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.vmstat.fields", "^(oom_kill|pgpg|pswp|pg.*fault).*",
             "Regexp of fields to write.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(NameFilter fields,
                  NameFilter::Make("", context.flags.GetText("collector.vmstat.fields")));
  return std::make_unique<Vmstat>(context, std::move(fields));
}

}  // namespace

MILLRACE_COLLECTOR(Vmstat) = {"vmstat", true, "Counters of virtual memory", &Declare, &Make};

}  // namespace millrace::node
