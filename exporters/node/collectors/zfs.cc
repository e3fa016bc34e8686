#include <array>
#include <string>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Prefix of the families and file below spl/kstat/zfs.
constexpr std::array<std::array<std::string_view, 2>, 11> kStats = {{
    {"node_zfs_abd_", "abdstats"},
    {"node_zfs_arc_", "arcstats"},
    {"node_zfs_dbuf_", "dbufstats"},
    {"node_zfs_dmu_tx_", "dmu_tx"},
    {"node_zfs_dnode_", "dnodestats"},
    {"node_zfs_fm_", "fm"},
    {"node_zfs_vdev_cache_", "vdev_cache_stats"},
    {"node_zfs_vdev_mirror_", "vdev_mirror_stats"},
    {"node_zfs_xuio_", "xuio_stats"},
    {"node_zfs_zfetch_", "zfetchstats"},
    {"node_zfs_zil_", "zil"},
}};
constexpr std::array<std::string_view, 7> kStates = {"online",  "degraded", "faulted",  "offline",
                                                     "removed", "unavail",  "suspended"};
// Types of kstat values (include/sys/kstat.h): these are written, the others are not numbers or
// not used.
constexpr std::string_view kInt64 = "3";
constexpr std::string_view kUint64 = "4";
constexpr std::string_view kHelp = "A kstat of ZFS.";

class Zfs : public Collector {
 public:
  explicit Zfs(const Context& context) : root_(context.paths.Proc("spl/kstat/zfs")) {}

  Status Collect(MetricWriter& out) override {
    if (!pools_.Read(root_)) return NoData("ZFS is not loaded");
    for (const auto& stats : kStats) {
      const std::string_view prefix = stats[0], file = stats[1];
      const auto text = files_.Read(JoinPath(path_, {root_, file}));
      if (!text) continue;  // a ZFS that is older or newer
      MILLRACE_TRY(Kstat(
          *text,
          [&](std::string_view name, std::string_view type, std::string_view value) -> Status {
            if (type != kInt64 && type != kUint64) return {};
            MILLRACE_ASSIGN(const double number, Number(type, value));
            Name(prefix, name);
            out.Family(name_, kUntyped, kHelp);
            out.Sample(number);
            return {};
          }));
    }
    for (const std::string_view pool : pools_) {
      pool_.assign(JoinPath(path_, {root_, pool}));
      if (!IsDirectory(pool_)) continue;
      MILLRACE_TRY(PoolIo(out, pool));
      MILLRACE_TRY(PoolDatasets(out, pool));
      MILLRACE_TRY(PoolState(out, pool));
    }
    return {};
  }

 private:
  // Calls visit(name, type, rest of the line) behind the heading "name type data".
  template <class Visit>
  Status Kstat(std::string_view rest, Visit&& visit) {
    bool started = false;
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view words = line;
      const std::string_view name = NextWord(words);
      const std::string_view type = NextWord(words);
      const std::string_view value = Trim(words);
      if (!started) {
        started = name == "name" && type == "type" && value == "data";
      } else if (!value.empty()) {
        MILLRACE_TRY(visit(name, type, value));
      }
    }
    return started ? Status() : BadContent(path_, "content", "");
  }

  Result<double> Number(std::string_view type, std::string_view text) {
    text = NextWord(text);
    if (type == kInt64) {
      if (const auto v = ParseNumber<std::int64_t>(text)) return static_cast<double>(*v);
    } else if (const auto v = ParseNumber<std::uint64_t>(text)) {
      return static_cast<double>(*v);
    }
    return BadContent(path_, "number", text);
  }

  // Of a dotted name the last part counts.
  void Name(std::string_view prefix, std::string_view name) {
    name_.assign(prefix);
    for (const char c : BaseName(name).substr(name.rfind('.') + 1)) name_ += c == '-' ? '_' : c;
  }

  // A line of names and a line of numbers; pools of newer versions have no such file.
  Status PoolIo(MetricWriter& out, std::string_view pool) {
    const auto text = files_.Read(JoinPath(path_, {pool_, "io"}));
    if (!text) return {};
    std::string_view rest = *text;
    std::string_view names;
    std::string_view values;
    while (NextLine(rest, names)) {
      if (!names.starts_with("nread")) continue;
      if (!NextLine(rest, values)) return BadContent(path_, "content", names);
      for (auto name = NextWord(names); !name.empty(); name = NextWord(names)) {
        MILLRACE_ASSIGN(const double number, Number(kUint64, NextWord(values)));
        Name("node_zfs_zpool_", name);
        out.Family(name_, kUntyped, kHelp);
        out.Sample({{"zpool", pool}}, number);
      }
    }
    return {};
  }

  Status PoolDatasets(MetricWriter& out, std::string_view pool) {
    MILLRACE_TRY(objsets_.Read(pool_));
    for (const std::string_view file : objsets_) {
      if (!file.starts_with("objset-")) continue;
      const auto text = files_.Read(JoinPath(path_, {pool_, file}));
      if (!text) continue;  // the pool is being exported
      std::string_view dataset;
      MILLRACE_TRY(Kstat(
          *text,
          [&](std::string_view name, std::string_view type, std::string_view value) -> Status {
            if (name == "dataset_name") {
              dataset = value;
              return {};
            }
            if (type != kUint64) return {};
            MILLRACE_ASSIGN(const double number, Number(type, value));
            Name("node_zfs_zpool_dataset_", name);
            out.Family(name_, kUntyped, kHelp);
            out.Sample({{"dataset", dataset}, {"zpool", pool}}, number);
            return {};
          }));
    }
    return {};
  }

  Status PoolState(MetricWriter& out, std::string_view pool) {
    const auto text = files_.Try(JoinPath(path_, {pool_, "state"}));
    if (!text) return {};
    out.Family("node_zfs_zpool_state", kGauge, "1 for the state a pool is in.");
    for (const std::string_view state : kStates)
      out.Sample({{"state", state}, {"zpool", pool}}, EqualsIgnoreCase(*text, state) ? 1 : 0);
    return {};
  }

  const std::string root_;
  FileReader files_;
  DirList pools_, objsets_;
  std::string path_, pool_, name_;
};

}  // namespace

MILLRACE_COLLECTOR(Zfs) = {"zfs", true, "ZFS caches, pools and datasets", nullptr,
                           &MakeCollector<Zfs>};

}  // namespace millrace::node
