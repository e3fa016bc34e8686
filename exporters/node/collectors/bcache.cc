#include <cmath>

#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

/// "1.1k", "20.3G", "-0.5M", "512": what bch_hprint() of drivers/md/bcache/util.c writes. The
/// digits behind the point count 1/1024 parts in hundreds, so ".10" is more than ".9".
std::optional<double> ParseHuman(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  constexpr std::string_view kUnits = "kMGTPEZY";
  double factor = 1;
  const auto unit = kUnits.find(text.back());
  double value = 0;
  if (unit == std::string_view::npos) {
    const auto plain = ParseNumber<double>(text);
    if (!plain) return std::nullopt;
    value = *plain;
  } else {
    factor = std::pow(1024.0, static_cast<double>(unit) + 1);
    std::string_view rest = text.substr(0, text.size() - 1);
    const bool fraction = rest.find('.') != std::string_view::npos;
    const auto whole = ParseNumber<double>(NextPiece(rest, '.'));
    const auto part = fraction ? ParseNumber<double>(rest) : std::optional<double>(0);
    if (!whole || !part) return std::nullopt;
    value = *whole + *part / 10.24;
  }
  value = std::trunc(value * factor);
  return negative ? -value : value;
}

// Documentation/admin-guide/bcache.rst
constexpr NumberFile kSetFiles[] = {
    {"average_key_size",
     {"node_bcache_average_key_size_sectors", kGauge, "Average data of a key, in sectors."}},
    {"btree_cache_size",
     {"node_bcache_btree_cache_size_bytes", kGauge, "Memory that the btree cache uses."}},
    {"cache_available_percent",
     {"node_bcache_cache_available_percent", kGauge,
      "Part of the cache without dirty data, usable for writeback."}},
    {"congested", {"node_bcache_congested", kGauge, "How congested the cache device is."}},
    {"root_usage_percent",
     {"node_bcache_root_usage_percent", kGauge, "Used part of the root node of the btree."}},
    {"tree_depth", {"node_bcache_tree_depth", kGauge, "Depth of the btree."}},
    {"internal/active_journal_entries",
     {"node_bcache_active_journal_entries", kGauge, "Journal entries newer than the index."}},
    {"internal/btree_nodes", {"node_bcache_btree_nodes", kGauge, "Nodes of the btree."}},
    // The original scales microseconds as if they were nanoseconds; a drop-in must too.
    {"internal/btree_read_average_duration_us",
     {"node_bcache_btree_read_average_duration_seconds", kGauge, "Average time of a btree read."},
     1e-9},
    {"internal/cache_read_races",
     {"node_bcache_cache_read_races_total", kCounter,
      "Reads whose bucket was reused while they ran."}},
};
constexpr NumberFile kBackingFiles[] = {
    {"dirty_data", {"node_bcache_dirty_data_bytes", kGauge, "Dirty data in the cache."}},
    {"stats_total/bypassed",
     {"node_bcache_bypassed_bytes_total", kCounter, "Bytes that went past the cache."}},
    {"stats_total/cache_hits", {"node_bcache_cache_hits_total", kCounter, "Hits."}},
    {"stats_total/cache_misses", {"node_bcache_cache_misses_total", kCounter, "Misses."}},
    {"stats_total/cache_bypass_hits",
     {"node_bcache_cache_bypass_hits_total", kCounter, "Hits of I/O meant to skip the cache."}},
    {"stats_total/cache_bypass_misses",
     {"node_bcache_cache_bypass_misses_total", kCounter, "Misses of I/O meant to skip the cache."}},
    {"stats_total/cache_miss_collisions",
     {"node_bcache_cache_miss_collisions_total", kCounter,
      "Insertions after a miss that met data already there."}},
};
constexpr NumberFile kReadaheads = {
    "stats_total/cache_readaheads",
    {"node_bcache_cache_readaheads_total", kCounter, "Times of read-ahead."}};
constexpr NumberFile kCacheFiles[] = {
    {"io_errors", {"node_bcache_io_errors", kGauge, "I/O errors, decayed by io_error_halflife."}},
    {"metadata_written",
     {"node_bcache_metadata_written_bytes_total", kCounter, "Bytes written that are not data."}},
    {"written", {"node_bcache_written_bytes_total", kCounter, "Bytes written to the cache."}},
};

/// A line "key: value" of a file, and the metric it becomes.
struct Line {
  std::string_view key, suffix;
  Metric metric;
};
constexpr Line kWriteback[] = {
    {"target:", "", {"node_bcache_dirty_target_bytes", kGauge, "Dirty data aimed at."}},
    {"rate:", "/sec", {"node_bcache_writeback_rate", kGauge, "Writeback rate, bytes a second."}},
    {"proportional:",
     "",
     {"node_bcache_writeback_rate_proportional_term", kGauge,
      "Proportional part of the writeback rate."}},
    {"integral:",
     "",
     {"node_bcache_writeback_rate_integral_term", kGauge, "Integral part of the writeback rate."}},
    {"change:", "/sec", {"node_bcache_writeback_change", kGauge, "Last change of the rate."}},
};
constexpr Line kPriority[] = {
    {"Unused:",
     "%",
     {"node_bcache_priority_stats_unused_percent", kGauge, "Part of the cache without data."}},
    {"Metadata:",
     "%",
     {"node_bcache_priority_stats_metadata_percent", kGauge, "Part of the cache for metadata."}},
};

class Bcache : public Collector {
 public:
  explicit Bcache(const Context& context)
      : root_(context.paths.Sys("fs/bcache")),
        priority_(context.flags.GetSwitch("collector.bcache.priorityStats")) {}

  Status Collect(MetricWriter& out) override {
    if (!sets_.Read(root_)) return {};
    for (const std::string_view uuid : sets_) {
      if (uuid.find('-') == std::string_view::npos) continue;  // "register" and the like
      directory_.assign(root_).append("/").append(uuid);
      set_directory_ = directory_;
      MILLRACE_TRY(EmitFiles(kSetFiles, {{"uuid", uuid}}, out));
      MILLRACE_TRY(devices_.Read(set_directory_));
      for (const std::string_view device : devices_) {
        directory_.assign(set_directory_).append("/").append(device);
        if (device.starts_with("bdev")) MILLRACE_TRY(CollectBacking(uuid, device, out));
        if (device.starts_with("cache") && device.find_first_of("0123456789") == 5)
          MILLRACE_TRY(CollectCache(uuid, device, out));
      }
    }
    return {};
  }

 private:
  Result<double> Read(std::string_view file) {
    const auto text = files_.Try(JoinPath(path_, {directory_, file}));
    if (!text) return 0.0;
    const auto value = ParseHuman(*text);
    if (!value) return BadContent(path_, "number", *text);
    return *value;
  }

  Status EmitFiles(std::span<const NumberFile> table, std::initializer_list<Label> labels,
                   MetricWriter& out) {
    for (const NumberFile& f : table) {
      MILLRACE_ASSIGN(const double value, Read(f.file));
      Emit(out, f.metric, labels, value * f.factor);
    }
    return {};
  }

  Status EmitLines(std::string_view file, std::span<const Line> table,
                   std::initializer_list<Label> labels, MetricWriter& out) {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(JoinPath(path_, {directory_, file})));
    std::string_view line;
    while (NextLine(rest, line)) {
      const Words<2> words(line);
      for (const Line& l : table) {
        if (words[0] != l.key) continue;
        std::string_view text = words[1];
        if (text.ends_with(l.suffix)) text.remove_suffix(l.suffix.size());
        const auto value = ParseHuman(text);
        if (!value) return BadContent(path_, l.key, text);
        Emit(out, l.metric, labels, *value);
      }
    }
    return {};
  }

  Status CollectBacking(std::string_view uuid, std::string_view device, MetricWriter& out) {
    const std::initializer_list<Label> labels = {{"backing_device", device}, {"uuid", uuid}};
    MILLRACE_TRY(EmitFiles(kBackingFiles, labels, out));
    // Newer kernels no longer count read-ahead: no series rather than one that stays 0.
    MILLRACE_ASSIGN(const double readaheads, Read(kReadaheads.file));
    if (readaheads != 0) Emit(out, kReadaheads.metric, labels, readaheads);
    return EmitLines("writeback_rate_debug", kWriteback, labels, out);
  }

  Status CollectCache(std::string_view uuid, std::string_view device, MetricWriter& out) {
    const std::initializer_list<Label> labels = {{"cache_device", device}, {"uuid", uuid}};
    MILLRACE_TRY(EmitFiles(kCacheFiles, labels, out));
    if (!priority_) return {};
    return EmitLines("priority_stats", kPriority, labels, out);
  }

  const std::string root_;
  const bool priority_;
  FileReader files_;
  DirList sets_, devices_;
  std::string path_, directory_, set_directory_;
};

void Declare(FlagSet& flags) {
  flags.Switch("collector.bcache.priorityStats", false,
               "Read priority_stats too, which is expensive.");
}

}  // namespace

MILLRACE_COLLECTOR(Bcache) = {"bcache", true, "bcache sets", &Declare, &MakeCollector<Bcache>};

}  // namespace millrace::node
