#include <array>
#include <string>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Field {
  std::string_view key;
  Metric metric;
};
constexpr auto kFields = std::to_array<Field>({
    {"nr_free_pages", {"node_zoneinfo_nr_free_pages", kGauge, "Free pages of a zone."}},
    {"min", {"node_zoneinfo_min_pages", kGauge, "Watermark min of a zone."}},
    {"low", {"node_zoneinfo_low_pages", kGauge, "Watermark low of a zone."}},
    {"high", {"node_zoneinfo_high_pages", kGauge, "Watermark high of a zone."}},
    {"scanned", {"node_zoneinfo_scanned_pages", kGauge, "Pages scanned since the last reclaim."}},
    {"spanned", {"node_zoneinfo_spanned_pages", kGauge, "Pages a zone spans, with holes."}},
    {"present", {"node_zoneinfo_present_pages", kGauge, "Pages that exist in a zone."}},
    {"managed", {"node_zoneinfo_managed_pages", kGauge, "Pages the buddy system manages."}},
    {"nr_active_anon",
     {"node_zoneinfo_nr_active_anon_pages", kGauge, "Anonymous pages in recent use."}},
    {"nr_inactive_anon",
     {"node_zoneinfo_nr_inactive_anon_pages", kGauge, "Anonymous pages not in recent use."}},
    {"nr_isolated_anon",
     {"node_zoneinfo_nr_isolated_anon_pages", kGauge,
      "Anonymous pages off their list for a while."}},
    {"nr_anon_pages", {"node_zoneinfo_nr_anon_pages", kGauge, "Anonymous pages that are mapped."}},
    {"nr_anon_transparent_hugepages",
     {"node_zoneinfo_nr_anon_transparent_hugepages", kGauge, "Transparent huge pages."}},
    {"nr_active_file", {"node_zoneinfo_nr_active_file_pages", kGauge, "File pages in recent use."}},
    {"nr_inactive_file",
     {"node_zoneinfo_nr_inactive_file_pages", kGauge, "File pages not in recent use."}},
    {"nr_isolated_file",
     {"node_zoneinfo_nr_isolated_file_pages", kGauge, "File pages off their list for a while."}},
    {"nr_file_pages", {"node_zoneinfo_nr_file_pages", kGauge, "File pages."}},
    {"nr_slab_reclaimable",
     {"node_zoneinfo_nr_slab_reclaimable_pages", kGauge, "Slab pages that can be reclaimed."}},
    {"nr_slab_unreclaimable",
     {"node_zoneinfo_nr_slab_unreclaimable_pages", kGauge, "Slab pages that cannot be reclaimed."}},
    {"nr_mlock_stack",
     {"node_zoneinfo_nr_mlock_stack_pages", kGauge, "Locked pages moved off their list."}},
    {"nr_kernel_stack", {"node_zoneinfo_nr_kernel_stacks", kGauge, "Kernel stacks."}},
    {"nr_mapped", {"node_zoneinfo_nr_mapped_pages", kGauge, "Mapped pages."}},
    {"nr_dirty", {"node_zoneinfo_nr_dirty_pages", kGauge, "Dirty pages."}},
    {"nr_writeback", {"node_zoneinfo_nr_writeback_pages", kGauge, "Pages being written."}},
    {"nr_unevictable",
     {"node_zoneinfo_nr_unevictable_pages", kGauge, "Pages that cannot be evicted."}},
    {"nr_shmem", {"node_zoneinfo_nr_shmem_pages", kGauge, "Shared memory pages, with tmpfs."}},
    {"nr_dirtied", {"node_zoneinfo_nr_dirtied_total", kCounter, "Pages that became dirty."}},
    {"nr_written", {"node_zoneinfo_nr_written_total", kCounter, "Pages that were written."}},
    {"numa_hit",
     {"node_zoneinfo_numa_hit_total", kCounter, "Allocations on the node that was meant."}},
    {"numa_miss",
     {"node_zoneinfo_numa_miss_total", kCounter, "Allocations meant for another node."}},
    {"numa_foreign",
     {"node_zoneinfo_numa_foreign_total", kCounter, "Allocations meant for here, made elsewhere."}},
    {"numa_interleave",
     {"node_zoneinfo_numa_interleave_total", kCounter, "Allocations that interleaving put here."}},
    {"numa_local",
     {"node_zoneinfo_numa_local_total", kCounter, "Allocations from the local node."}},
    {"numa_other", {"node_zoneinfo_numa_other_total", kCounter, "Allocations from another node."}},
});

class Zoneinfo : public Collector {
 public:
  explicit Zoneinfo(const Context& context) : path_(context.paths.Proc("zoneinfo")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    MILLRACE_TRY(Parse(rest));
    for (std::size_t i = 0; i < kFields.size(); ++i) {
      out.Family(kFields[i].metric);
      for (const Zone& z : zones_)
        if (z.values[i])
          out.Sample({{"node", z.node}, {"zone", z.name}}, static_cast<double>(*z.values[i]));
    }
    for (const Zone& z : zones_) {
      std::string_view numbers = z.protection;
      for (unsigned i = 0; !numbers.empty(); ++i) {
        const auto value = ParseNumber<std::int64_t>(Trim(NextPiece(numbers, ',')));
        if (!value) return BadContent(path_, "protection", z.protection);
        name_.assign("node_zoneinfo_protection_").append(NumberText(i).view());
        out.Family(name_, kGauge, "A number of the protection array of a zone.");
        out.Sample({{"node", z.node}, {"zone", z.name}}, static_cast<double>(*value));
      }
    }
    return {};
  }

 private:
  struct Zone {
    std::string_view node, name, protection;
    std::array<std::optional<std::int64_t>, kFields.size()> values;
  };

  // "Node 0, zone   Normal", then lines "key value". When a key comes twice the last one counts.
  Status Parse(std::string_view rest) {
    zones_.clear();
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view words = line;
      const std::string_view key = NextWord(words);
      if (key == "Node") {
        std::string_view node = NextWord(words);
        if (!node.ends_with(',') || NextWord(words) != "zone")
          return BadContent(path_, "line", line);
        node.remove_suffix(1);
        Zone& zone = zones_.emplace_back();
        zone.node = node;
        zone.name = NextWord(words);
        continue;
      }
      if (zones_.empty() || key.empty()) continue;
      if (key == "protection:") {
        std::string_view text = Trim(words);
        if (text.size() < 2 || text.front() != '(' || text.back() != ')')
          return BadContent(path_, "line", line);
        zones_.back().protection = text.substr(1, text.size() - 2);
        continue;
      }
      for (std::size_t i = 0; i < kFields.size(); ++i)
        if (kFields[i].key == key)
          zones_.back().values[i] = ParseNumber<std::int64_t>(NextWord(words));
    }
    return {};
  }

  const std::string path_;
  FileReader files_;
  std::vector<Zone> zones_;
  std::string name_;
};

}  // namespace

MILLRACE_COLLECTOR(Zoneinfo) = {"zoneinfo", false, "Memory by zone", nullptr,
                                &MakeCollector<Zoneinfo>};

}  // namespace millrace::node
