#include "common/base/strings.h"
#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Loadavg : public Collector {
 public:
  explicit Loadavg(const Context& context) : path_(context.paths.Proc("loadavg")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(const std::string_view text, files_.Read(path_));
    const Words<3> words(text);
    struct Column {
      std::string_view name, help;
    };
    static constexpr Column kColumns[] = {{"node_load1", "Load average over 1 minute."},
                                          {"node_load5", "Load average over 5 minutes."},
                                          {"node_load15", "Load average over 15 minutes."}};
    for (std::size_t i = 0; i < 3; ++i) {
      const auto value = ParseNumber<double>(words[i]);
      if (!value)
        return Fail(ErrorCode::kParse, path_ + ": bad load average " + Printable(words[i], 40));
      out.Gauge(kColumns[i].name, kColumns[i].help, *value);
    }
    return {};
  }

 private:
  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Loadavg) = {"loadavg", true, "Load averages", nullptr, &MakeCollector<Loadavg>};

}  // namespace millrace::node
