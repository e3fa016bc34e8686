#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class KernelHung : public Collector {
 public:
  explicit KernelHung(const Context& context)
      : path_(context.paths.Proc("sys/kernel/hung_task_detect_count")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(const std::string_view text, files_.Read(path_));
    const auto value = ParseNumber<std::uint64_t>(Trim(text));
    if (!value) return BadContent(path_, "number", text);
    out.Counter("node_kernel_hung_tasks_total", "Tasks found to hang since the boot.",
                static_cast<double>(*value));
    return {};
  }

 private:
  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(KernelHung) = {"kernel_hung", true, "Tasks that hung", nullptr,
                                  &MakeCollector<KernelHung>};

}  // namespace millrace::node
