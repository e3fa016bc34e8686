#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr Metric kSize{"node_swap_size_bytes", kGauge, "Size of a swap device."};
constexpr Metric kUsed{"node_swap_used_bytes", kGauge, "Used part of a swap device."};
constexpr Metric kPriority{"node_swap_priority", kGauge, "Priority of a swap device."};

class Swap : public Collector {
 public:
  explicit Swap(const Context& context) : path_(context.paths.Proc("swaps")) {}

  // Filename, Type, Size, Used (KiB), Priority; below a line of titles.
  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    NextLine(rest, line);
    while (NextLine(rest, line)) {
      const Words<5> words(line);
      const auto size = ParseNumber<std::int64_t>(words[2]);
      const auto used = ParseNumber<std::int64_t>(words[3]);
      const auto priority = ParseNumber<std::int64_t>(words[4]);
      if (!size || !used || !priority) return BadContent(path_, "line", line);
      const std::initializer_list<Label> labels = {{"device", words[0]}, {"swap_type", words[1]}};
      Emit(out, kSize, labels, static_cast<double>(*size) * 1024);
      Emit(out, kUsed, labels, static_cast<double>(*used) * 1024);
      Emit(out, kPriority, labels, static_cast<double>(*priority));
    }
    return {};
  }

 private:
  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Swap) = {"swap", false, "Swap devices", nullptr, &MakeCollector<Swap>};

}  // namespace millrace::node
