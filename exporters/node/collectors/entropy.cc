#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Entropy : public Collector {
 public:
  explicit Entropy(const Context& context)
      : available_(context.paths.Proc("sys/kernel/random/entropy_avail")),
        pool_(context.paths.Proc("sys/kernel/random/poolsize")) {}

  Status Collect(MetricWriter& out) override {
    const auto available = files_.TryUnsigned(available_);
    if (!available) return BadContent(available_, "or missing number", "");
    out.Gauge("node_entropy_available_bits", "Entropy at hand, in bits.",
              static_cast<double>(*available));
    const auto pool = files_.TryUnsigned(pool_);
    if (!pool) return BadContent(pool_, "or missing number", "");
    out.Gauge("node_entropy_pool_size_bits", "Size of the entropy pool, in bits.",
              static_cast<double>(*pool));
    return {};
  }

 private:
  const std::string available_, pool_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Entropy) = {"entropy", true, "Entropy of the kernel's pool", nullptr,
                               &MakeCollector<Entropy>};

}  // namespace millrace::node
