#include <vector>

#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Lnstat : public Collector {
 public:
  explicit Lnstat(const Context& context) : directory_(context.paths.Proc("net/stat")) {}

  // Each file is one cache: a line of column names, then a line of hexadecimal counters per CPU.
  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(names_.Read(directory_));
    for (const std::string_view subsystem : names_) {
      MILLRACE_ASSIGN(std::string_view rest, files_.Read(JoinPath(path_, {directory_, subsystem})));
      std::string_view line;
      NextLine(rest, line);
      columns_.clear();
      for (auto word = NextWord(line); !word.empty(); word = NextWord(line))
        columns_.push_back("node_lnstat_" + std::string(word) + "_total");
      for (int cpu = 0; NextLine(rest, line); ++cpu) {
        for (std::size_t i = 0;; ++i) {
          const std::string_view word = NextWord(line);
          if (word.empty()) break;
          const auto value = ParseNumber<std::uint64_t>(word, 16);
          if (!value || i >= columns_.size()) return BadContent(path_, "counter", word);
          out.Family(columns_[i], kCounter, "Counter of a network cache, see lnstat(8).");
          out.Sample({{"cpu", NumberText(cpu).view()}, {"subsystem", subsystem}},
                     static_cast<double>(*value));
        }
      }
    }
    return {};
  }

 private:
  const std::string directory_;
  FileReader files_;
  DirList names_;
  std::string path_;
  std::vector<std::string> columns_;
};

}  // namespace

MILLRACE_COLLECTOR(Lnstat) = {"lnstat", false, "Network caches of /proc/net/stat", nullptr,
                              &MakeCollector<Lnstat>};

}  // namespace millrace::node
