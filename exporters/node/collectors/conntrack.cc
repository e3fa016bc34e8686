#include <array>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Column {
  Metric metric;
  std::size_t at;  // in a line of net/stat/nf_conntrack, numbered from 0
};
constexpr std::array<Column, 8> kColumns = {{
    {{"node_nf_conntrack_stat_found", kGauge, "Lookups that found an entry."}, 2},
    {{"node_nf_conntrack_stat_invalid", kGauge, "Packets that cannot be tracked."}, 4},
    {{"node_nf_conntrack_stat_ignore", kGauge, "Packets that already belong to an entry."}, 5},
    {{"node_nf_conntrack_stat_insert", kGauge, "Entries put into the table."}, 8},
    {{"node_nf_conntrack_stat_insert_failed", kGauge,
      "Entries that could not be put into the table."},
     9},
    {{"node_nf_conntrack_stat_drop", kGauge, "Packets dropped because tracking failed."}, 10},
    {{"node_nf_conntrack_stat_early_drop", kGauge,
      "Entries dropped to make room when the table was full."},
     11},
    {{"node_nf_conntrack_stat_search_restart", kGauge,
      "Lookups started again because the table was resized."},
     16},
}};
constexpr std::size_t kWords = 17;

class Conntrack : public Collector {
 public:
  explicit Conntrack(const Context& context)
      : count_(context.paths.Proc("sys/net/netfilter/nf_conntrack_count")),
        max_(context.paths.Proc("sys/net/netfilter/nf_conntrack_max")),
        stat_(context.paths.Proc("net/stat/nf_conntrack")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(One(out, count_, "node_nf_conntrack_entries", "Flows being tracked."));
    MILLRACE_TRY(
        One(out, max_, "node_nf_conntrack_entries_limit", "Most flows that can be tracked."));
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(stat_));
    std::array<std::uint64_t, kColumns.size()> sums{};
    std::string_view line;
    NextLine(rest, line);           // names
    while (NextLine(rest, line)) {  // a line a processor, in hexadecimal
      const Words<kWords> words(line);
      if (words.size() < kWords) return BadContent(stat_, "line", line);
      for (std::size_t i = 0; i < kColumns.size(); ++i) {
        const auto value = ParseNumber<std::uint64_t>(words[kColumns[i].at], 16);
        if (!value) return BadContent(stat_, "number", words[kColumns[i].at]);
        sums[i] += *value;
      }
    }
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      out.Family(kColumns[i].metric);
      out.Sample(static_cast<double>(sums[i]));
    }
    return {};
  }

 private:
  Status One(MetricWriter& out, const std::string& path, std::string_view name,
             std::string_view help) {
    MILLRACE_ASSIGN(const std::string_view text, files_.Read(path));
    const auto value = ParseNumber<std::uint64_t>(Trim(text));
    if (!value) return BadContent(path, "number", text);
    out.Gauge(name, help, static_cast<double>(*value));
    return {};
  }

  const std::string count_, max_, stat_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Conntrack) = {"conntrack", true, "Connection tracking", nullptr,
                                 &MakeCollector<Conntrack>};

}  // namespace millrace::node
