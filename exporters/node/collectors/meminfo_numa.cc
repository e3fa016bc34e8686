#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class MeminfoNuma : public Collector {
 public:
  explicit MeminfoNuma(const Context& context) : root_(context.paths.Sys("devices/system/node")) {}

  Status Collect(MetricWriter& out) override {
    if (!nodes_.Read(root_)) return {};
    for (const std::string_view name : nodes_) {
      if (!name.starts_with("node")) continue;
      const std::string_view node = name.substr(4);
      if (!ParseNumber<unsigned>(node)) continue;
      MILLRACE_TRY(Memory(out, name, node));
      MILLRACE_TRY(Allocations(out, name, node));
    }
    return {};
  }

 private:
  // "Node 0 Active(anon):     622788 kB"
  Status Memory(MetricWriter& out, std::string_view dir, std::string_view node) {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(JoinPath(path_, {root_, dir, "meminfo"})));
    std::string_view line;
    while (NextLine(rest, line)) {
      const Words<5> words(line);
      if (words.size() == 0) continue;
      const auto value = ParseNumber<double>(words[3]);
      if (!value || words.size() > 5 || (words.size() == 5 && words[4] != "kB"))
        return BadContent(path_, "line", line);
      name_ = "node_memory_numa_";
      for (const char c : words[2])
        if (c == '(') {
          name_ += '_';
        } else if (c != ')' && c != ':') {
          name_ += c;
        }
      out.Family(name_, kGauge, "A field of the memory of a NUMA node.");
      out.Sample({{"node", node}}, words.size() == 5 ? *value * 1024 : *value);
    }
    return {};
  }

  // "numa_hit 193460335812"
  Status Allocations(MetricWriter& out, std::string_view dir, std::string_view node) {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(JoinPath(path_, {root_, dir, "numastat"})));
    std::string_view line;
    while (NextLine(rest, line)) {
      const Words<2> words(line);
      if (words.size() == 0) continue;
      const auto value = ParseNumber<double>(words[1]);
      if (!value || words.size() != 2) return BadContent(path_, "line", line);
      name_.assign("node_memory_numa_").append(words[0]).append("_total");
      out.Family(name_, kCounter, "A count of allocations of a NUMA node, in pages.");
      out.Sample({{"node", node}}, *value);
    }
    return {};
  }

  const std::string root_;
  FileReader files_;
  DirList nodes_;
  std::string path_, name_;
};

}  // namespace

MILLRACE_COLLECTOR(MeminfoNuma) = {"meminfo_numa", false, "Memory by NUMA node", nullptr,
                                   &MakeCollector<MeminfoNuma>};

}  // namespace millrace::node
