#include <algorithm>
#include <array>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Field {
  std::string_view key, name, help;
};
// Sorted by key. A kernel that adds a field does not add a family by itself: the original has this
// list too.
constexpr auto kFields = std::to_array<Field>({
    {"Active", "node_memory_Active_bytes", "Field Active of /proc/meminfo, in bytes."},
    {"Active(anon)", "node_memory_Active_anon_bytes",
     "Field Active(anon) of /proc/meminfo, in bytes."},
    {"Active(file)", "node_memory_Active_file_bytes",
     "Field Active(file) of /proc/meminfo, in bytes."},
    {"AnonHugePages", "node_memory_AnonHugePages_bytes",
     "Field AnonHugePages of /proc/meminfo, in bytes."},
    {"AnonPages", "node_memory_AnonPages_bytes", "Field AnonPages of /proc/meminfo, in bytes."},
    {"Bounce", "node_memory_Bounce_bytes", "Field Bounce of /proc/meminfo, in bytes."},
    {"Buffers", "node_memory_Buffers_bytes", "Field Buffers of /proc/meminfo, in bytes."},
    {"Cached", "node_memory_Cached_bytes", "Field Cached of /proc/meminfo, in bytes."},
    {"CmaFree", "node_memory_CmaFree_bytes", "Field CmaFree of /proc/meminfo, in bytes."},
    {"CmaTotal", "node_memory_CmaTotal_bytes", "Field CmaTotal of /proc/meminfo, in bytes."},
    {"CommitLimit", "node_memory_CommitLimit_bytes",
     "Field CommitLimit of /proc/meminfo, in bytes."},
    {"Committed_AS", "node_memory_Committed_AS_bytes",
     "Field Committed_AS of /proc/meminfo, in bytes."},
    {"DirectMap1G", "node_memory_DirectMap1G_bytes",
     "Field DirectMap1G of /proc/meminfo, in bytes."},
    {"DirectMap2M", "node_memory_DirectMap2M_bytes",
     "Field DirectMap2M of /proc/meminfo, in bytes."},
    {"DirectMap4k", "node_memory_DirectMap4k_bytes",
     "Field DirectMap4k of /proc/meminfo, in bytes."},
    {"Dirty", "node_memory_Dirty_bytes", "Field Dirty of /proc/meminfo, in bytes."},
    {"HardwareCorrupted", "node_memory_HardwareCorrupted_bytes",
     "Field HardwareCorrupted of /proc/meminfo, in bytes."},
    {"HugePages_Free", "node_memory_HugePages_Free",
     "Field HugePages_Free of /proc/meminfo, in pages."},
    {"HugePages_Rsvd", "node_memory_HugePages_Rsvd",
     "Field HugePages_Rsvd of /proc/meminfo, in pages."},
    {"HugePages_Surp", "node_memory_HugePages_Surp",
     "Field HugePages_Surp of /proc/meminfo, in pages."},
    {"HugePages_Total", "node_memory_HugePages_Total",
     "Field HugePages_Total of /proc/meminfo, in pages."},
    {"Hugepagesize", "node_memory_Hugepagesize_bytes",
     "Field Hugepagesize of /proc/meminfo, in bytes."},
    {"Inactive", "node_memory_Inactive_bytes", "Field Inactive of /proc/meminfo, in bytes."},
    {"Inactive(anon)", "node_memory_Inactive_anon_bytes",
     "Field Inactive(anon) of /proc/meminfo, in bytes."},
    {"Inactive(file)", "node_memory_Inactive_file_bytes",
     "Field Inactive(file) of /proc/meminfo, in bytes."},
    {"KernelStack", "node_memory_KernelStack_bytes",
     "Field KernelStack of /proc/meminfo, in bytes."},
    {"Mapped", "node_memory_Mapped_bytes", "Field Mapped of /proc/meminfo, in bytes."},
    {"MemAvailable", "node_memory_MemAvailable_bytes",
     "Field MemAvailable of /proc/meminfo, in bytes."},
    {"MemFree", "node_memory_MemFree_bytes", "Field MemFree of /proc/meminfo, in bytes."},
    {"MemTotal", "node_memory_MemTotal_bytes", "Field MemTotal of /proc/meminfo, in bytes."},
    {"Mlocked", "node_memory_Mlocked_bytes", "Field Mlocked of /proc/meminfo, in bytes."},
    {"NFS_Unstable", "node_memory_NFS_Unstable_bytes",
     "Field NFS_Unstable of /proc/meminfo, in bytes."},
    {"PageTables", "node_memory_PageTables_bytes", "Field PageTables of /proc/meminfo, in bytes."},
    {"Percpu", "node_memory_Percpu_bytes", "Field Percpu of /proc/meminfo, in bytes."},
    {"SReclaimable", "node_memory_SReclaimable_bytes",
     "Field SReclaimable of /proc/meminfo, in bytes."},
    {"SUnreclaim", "node_memory_SUnreclaim_bytes", "Field SUnreclaim of /proc/meminfo, in bytes."},
    {"Shmem", "node_memory_Shmem_bytes", "Field Shmem of /proc/meminfo, in bytes."},
    {"ShmemHugePages", "node_memory_ShmemHugePages_bytes",
     "Field ShmemHugePages of /proc/meminfo, in bytes."},
    {"ShmemPmdMapped", "node_memory_ShmemPmdMapped_bytes",
     "Field ShmemPmdMapped of /proc/meminfo, in bytes."},
    {"Slab", "node_memory_Slab_bytes", "Field Slab of /proc/meminfo, in bytes."},
    {"SwapCached", "node_memory_SwapCached_bytes", "Field SwapCached of /proc/meminfo, in bytes."},
    {"SwapFree", "node_memory_SwapFree_bytes", "Field SwapFree of /proc/meminfo, in bytes."},
    {"SwapTotal", "node_memory_SwapTotal_bytes", "Field SwapTotal of /proc/meminfo, in bytes."},
    {"Unevictable", "node_memory_Unevictable_bytes",
     "Field Unevictable of /proc/meminfo, in bytes."},
    {"VmallocChunk", "node_memory_VmallocChunk_bytes",
     "Field VmallocChunk of /proc/meminfo, in bytes."},
    {"VmallocTotal", "node_memory_VmallocTotal_bytes",
     "Field VmallocTotal of /proc/meminfo, in bytes."},
    {"VmallocUsed", "node_memory_VmallocUsed_bytes",
     "Field VmallocUsed of /proc/meminfo, in bytes."},
    {"Writeback", "node_memory_Writeback_bytes", "Field Writeback of /proc/meminfo, in bytes."},
    {"WritebackTmp", "node_memory_WritebackTmp_bytes",
     "Field WritebackTmp of /proc/meminfo, in bytes."},
    {"Zswap", "node_memory_Zswap_bytes", "Field Zswap of /proc/meminfo, in bytes."},
    {"Zswapped", "node_memory_Zswapped_bytes", "Field Zswapped of /proc/meminfo, in bytes."},
});

class Meminfo : public Collector {
 public:
  explicit Meminfo(const Context& context) : path_(context.paths.Proc("meminfo")) {}

  // "MemTotal:       24736812 kB", "HugePages_Total:       0"
  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    if (rest.empty()) return BadContent(path_, "content", "");
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view words = line;
      std::string_view key = NextWord(words);
      if (!key.ends_with(':')) return BadContent(path_, "line", line);
      key.remove_suffix(1);
      const auto value = NextUnsigned(words);
      const std::string_view unit = NextWord(words);
      if (!value || (!unit.empty() && unit != "kB")) return BadContent(path_, "line", line);
      const auto* field =
          std::lower_bound(kFields.begin(), kFields.end(), key,
                           [](const Field& f, std::string_view k) { return f.key < k; });
      if (field == kFields.end() || field->key != key) continue;
      out.Gauge(field->name, field->help,
                static_cast<double>(unit.empty() ? *value : *value * 1024));
    }
    return {};
  }

 private:
  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Meminfo) = {"meminfo", true, "Memory of the host", nullptr,
                               &MakeCollector<Meminfo>};

}  // namespace millrace::node
