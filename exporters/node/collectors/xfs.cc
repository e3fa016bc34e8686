#include <string>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Line and column of fs/xfs/<device>/stats/stats, see fs/xfs/xfs_stats.c.
struct Column {
  std::string_view line;
  std::size_t at;
  Metric metric;
};
constexpr Column kColumns[] = {
    {"extent_alloc",
     0,
     {"node_xfs_extent_allocation_extents_allocated_total", kCounter,
      "XFS: extent allocation extents allocated."}},
    {"extent_alloc",
     1,
     {"node_xfs_extent_allocation_blocks_allocated_total", kCounter,
      "XFS: extent allocation blocks allocated."}},
    {"extent_alloc",
     2,
     {"node_xfs_extent_allocation_extents_freed_total", kCounter,
      "XFS: extent allocation extents freed."}},
    {"extent_alloc",
     3,
     {"node_xfs_extent_allocation_blocks_freed_total", kCounter,
      "XFS: extent allocation blocks freed."}},
    {"abt",
     0,
     {"node_xfs_allocation_btree_lookups_total", kCounter, "XFS: allocation B-tree lookups."}},
    {"abt",
     1,
     {"node_xfs_allocation_btree_compares_total", kCounter, "XFS: allocation B-tree compares."}},
    {"abt",
     2,
     {"node_xfs_allocation_btree_records_inserted_total", kCounter,
      "XFS: allocation B-tree records inserted."}},
    {"abt",
     3,
     {"node_xfs_allocation_btree_records_deleted_total", kCounter,
      "XFS: allocation B-tree records deleted."}},
    {"blk_map", 0, {"node_xfs_block_mapping_reads_total", kCounter, "XFS: block mapping reads."}},
    {"blk_map", 1, {"node_xfs_block_mapping_writes_total", kCounter, "XFS: block mapping writes."}},
    {"blk_map", 2, {"node_xfs_block_mapping_unmaps_total", kCounter, "XFS: block mapping unmaps."}},
    {"blk_map",
     3,
     {"node_xfs_block_mapping_extent_list_insertions_total", kCounter,
      "XFS: block mapping extent list insertions."}},
    {"blk_map",
     4,
     {"node_xfs_block_mapping_extent_list_deletions_total", kCounter,
      "XFS: block mapping extent list deletions."}},
    {"blk_map",
     5,
     {"node_xfs_block_mapping_extent_list_lookups_total", kCounter,
      "XFS: block mapping extent list lookups."}},
    {"blk_map",
     6,
     {"node_xfs_block_mapping_extent_list_compares_total", kCounter,
      "XFS: block mapping extent list compares."}},
    {"bmbt",
     0,
     {"node_xfs_block_map_btree_lookups_total", kCounter, "XFS: block map B-tree lookups."}},
    {"bmbt",
     1,
     {"node_xfs_block_map_btree_compares_total", kCounter, "XFS: block map B-tree compares."}},
    {"bmbt",
     2,
     {"node_xfs_block_map_btree_records_inserted_total", kCounter,
      "XFS: block map B-tree records inserted."}},
    {"bmbt",
     3,
     {"node_xfs_block_map_btree_records_deleted_total", kCounter,
      "XFS: block map B-tree records deleted."}},
    {"dir",
     0,
     {"node_xfs_directory_operation_lookup_total", kCounter, "XFS: directory operation lookup."}},
    {"dir",
     1,
     {"node_xfs_directory_operation_create_total", kCounter, "XFS: directory operation create."}},
    {"dir",
     2,
     {"node_xfs_directory_operation_remove_total", kCounter, "XFS: directory operation remove."}},
    {"dir",
     3,
     {"node_xfs_directory_operation_getdents_total", kCounter,
      "XFS: directory operation getdents."}},
    {"ig",
     0,
     {"node_xfs_inode_operation_attempts_total", kCounter, "XFS: inode operation attempts."}},
    {"ig", 1, {"node_xfs_inode_operation_found_total", kCounter, "XFS: inode operation found."}},
    {"ig",
     2,
     {"node_xfs_inode_operation_recycled_total", kCounter, "XFS: inode operation recycled."}},
    {"ig", 3, {"node_xfs_inode_operation_missed_total", kCounter, "XFS: inode operation missed."}},
    {"ig",
     4,
     {"node_xfs_inode_operation_duplicates_total", kCounter, "XFS: inode operation duplicates."}},
    {"ig",
     5,
     {"node_xfs_inode_operation_reclaims_total", kCounter, "XFS: inode operation reclaims."}},
    {"ig",
     6,
     {"node_xfs_inode_operation_attribute_changes_total", kCounter,
      "XFS: inode operation attribute changes."}},
    {"rw", 1, {"node_xfs_read_calls_total", kCounter, "XFS: read calls."}},
    {"rw", 0, {"node_xfs_write_calls_total", kCounter, "XFS: write calls."}},
    {"vnodes", 0, {"node_xfs_vnode_active_total", kCounter, "XFS: vnode active."}},
    {"vnodes", 1, {"node_xfs_vnode_allocate_total", kCounter, "XFS: vnode allocate."}},
    {"vnodes", 2, {"node_xfs_vnode_get_total", kCounter, "XFS: vnode get."}},
    {"vnodes", 3, {"node_xfs_vnode_hold_total", kCounter, "XFS: vnode hold."}},
    {"vnodes", 4, {"node_xfs_vnode_release_total", kCounter, "XFS: vnode release."}},
    {"vnodes", 5, {"node_xfs_vnode_reclaim_total", kCounter, "XFS: vnode reclaim."}},
    {"vnodes", 6, {"node_xfs_vnode_remove_total", kCounter, "XFS: vnode remove."}},
};
constexpr std::size_t kMaxColumns = 8;

class Xfs : public Collector {
 public:
  explicit Xfs(const Context& context) : root_(context.paths.Sys("fs/xfs")) {}

  Status Collect(MetricWriter& out) override {
    if (!devices_.Read(root_)) return {};
    for (const std::string_view device : devices_) {
      auto text = files_.Read(JoinPath(path_, {root_, device, "stats/stats"}));
      if (!text && text.error().code == ErrorCode::kNotFound) continue;  // "stats" of all devices
      if (!text) return tl::make_unexpected(std::move(text).error());
      MILLRACE_TRY(Device(out, device, *text));
    }
    return {};
  }

 private:
  Status Device(MetricWriter& out, std::string_view device, std::string_view rest) {
    std::string_view line;
    while (NextLine(rest, line)) {
      const Words<kMaxColumns + 1> words(line);
      for (const Column& column : kColumns) {
        if (column.line != words[0]) continue;
        const auto value = ParseNumber<std::uint32_t>(words[column.at + 1]);
        if (!value) return BadContent(path_, "line", line);
        out.Family(column.metric);
        out.Sample({{"device", device}}, *value);
      }
    }
    return {};
  }

  const std::string root_;
  FileReader files_;
  DirList devices_;
  std::string path_;
};

}  // namespace

MILLRACE_COLLECTOR(Xfs) = {"xfs", true, "XFS file systems", nullptr, &MakeCollector<Xfs>};

}  // namespace millrace::node
