#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Filefd : public Collector {
 public:
  explicit Filefd(const Context& context) : path_(context.paths.Proc("sys/fs/file-nr")) {}

  // allocated, unused since Linux 2.6, maximum (proc(5)).
  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(const std::string_view text, files_.Read(path_));
    const Words<3> words(text);
    const auto allocated = ParseNumber<double>(words[0]);
    const auto maximum = ParseNumber<double>(words[2]);
    if (!allocated || !maximum) return BadContent(path_, "content", text);
    out.Gauge("node_filefd_allocated", "File handles in use on the host.", *allocated);
    out.Gauge("node_filefd_maximum", "Most file handles the host may use.", *maximum);
    return {};
  }

 private:
  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Filefd) = {"filefd", true, "File handles of the host", nullptr,
                              &MakeCollector<Filefd>};

}  // namespace millrace::node
