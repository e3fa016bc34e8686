#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Cgroups : public Collector {
 public:
  explicit Cgroups(const Context& context) : path_(context.paths.Proc("cgroups")) {}

  // subsys_name, hierarchy, num_cgroups, enabled; titles begin with '#'.
  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    while (NextLine(rest, line)) {
      const Words<4> words(line);
      if (words.size() == 0 || words[0].starts_with('#')) continue;
      const auto count = ParseNumber<std::uint64_t>(words[2]);
      const auto enabled = ParseNumber<int>(words[3]);
      if (words.size() != 4 || !count || !enabled) return BadContent(path_, "line", line);
      const std::initializer_list<Label> labels = {{"subsys_name", words[0]}};
      Emit(out, {"node_cgroups_cgroups", kGauge, "Control groups of a subsystem."}, labels,
           static_cast<double>(*count));
      Emit(out, {"node_cgroups_enabled", kGauge, "1 if the subsystem is enabled."}, labels,
           *enabled != 0 ? 1 : 0);
    }
    return {};
  }

 private:
  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Cgroups) = {"cgroups", false, "Numbers of control groups", nullptr,
                               &MakeCollector<Cgroups>};

}  // namespace millrace::node
