#pragma once
// Device statistics of mounted btrfs file systems, which sysfs does not have.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace millrace::node {

struct BtrfsDevice {
  std::string name;  ///< "sda1", without its directory.
  std::string uuid;
  std::uint64_t total_bytes = 0, used_bytes = 0;
  /// write, read, flush, corruption, generation: the order of enum btrfs_dev_stat_values.
  std::array<std::uint64_t, 5> errors{};
};
struct BtrfsMounted {
  std::string uuid;  ///< Of the file system, with dashes.
  std::vector<BtrfsDevice> devices;
};

/// Asks the file system that is mounted at `path` (BTRFS_IOC_FS_INFO, BTRFS_IOC_DEV_INFO,
/// BTRFS_IOC_GET_DEV_STATS). Needs CAP_SYS_ADMIN.
[[nodiscard]] Result<BtrfsMounted> ReadBtrfs(const std::string& path);

}  // namespace millrace::node
