#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Buddyinfo : public Collector {
 public:
  explicit Buddyinfo(const Context& context) : path_(context.paths.Proc("buddyinfo")) {}

  // "Node 0, zone   Normal   4381   1093 ...": free blocks of 2^0, 2^1 ... pages.
  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    out.Family("node_buddyinfo_blocks", kGauge, "Free blocks by size: 2^size pages.");
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view words = line;
      NextWord(words);
      std::string_view node = NextWord(words);
      NextWord(words);
      const std::string_view zone = NextWord(words);
      if (zone.empty()) return BadContent(path_, "line", line);
      if (node.ends_with(',')) node.remove_suffix(1);
      for (unsigned size = 0;; ++size) {
        const std::string_view word = NextWord(words);
        if (word.empty()) break;
        const auto value = ParseNumber<double>(word);
        if (!value) return BadContent(path_, "number", word);
        out.Sample({{"node", node}, {"size", NumberText(size).view()}, {"zone", zone}}, *value);
      }
    }
    return {};
  }

 private:
  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Buddyinfo) = {"buddyinfo", false, "Free memory blocks by size", nullptr,
                                 &MakeCollector<Buddyinfo>};

}  // namespace millrace::node
