#include "exporters/node/collectors/btrfs_ioctl.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/btrfs.h>
#include <sys/ioctl.h>

#include "common/base/fd.h"
#include "exporters/node/paths.h"

namespace millrace::node {
namespace {

std::string UuidText(const unsigned char* bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kHex[bytes[i] >> 4];
    out += kHex[bytes[i] & 15];
  }
  return out;
}

}  // namespace

Result<BtrfsMounted> ReadBtrfs(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return FailErrno("open " + path, errno);
  btrfs_ioctl_fs_info_args info{};
  if (::ioctl(fd.get(), BTRFS_IOC_FS_INFO, &info) != 0)
    return FailErrno("BTRFS_IOC_FS_INFO " + path, errno);
  BtrfsMounted mounted;
  mounted.uuid = UuidText(info.fsid);
  // Numbers of devices have gaps: removed ones are not given out again.
  constexpr std::uint64_t kMostIds = 4096;
  const std::uint64_t last = std::min<std::uint64_t>(info.max_id, kMostIds);
  for (std::uint64_t id = 0; id <= last && mounted.devices.size() < info.num_devices; ++id) {
    btrfs_ioctl_dev_info_args device{};
    device.devid = id;
    if (::ioctl(fd.get(), BTRFS_IOC_DEV_INFO, &device) != 0) {
      if (errno == ENODEV) continue;
      return FailErrno("BTRFS_IOC_DEV_INFO " + path, errno);
    }
    btrfs_ioctl_get_dev_stats stats{};
    stats.devid = id;
    stats.nr_items = BTRFS_DEV_STAT_VALUES_MAX;
    if (::ioctl(fd.get(), BTRFS_IOC_GET_DEV_STATS, &stats) != 0)
      return FailErrno("BTRFS_IOC_GET_DEV_STATS " + path, errno);
    BtrfsDevice d;
    const auto* name = reinterpret_cast<const char*>(device.path);
    d.name = BaseName(std::string_view(name, ::strnlen(name, sizeof device.path)));
    d.uuid = UuidText(device.uuid);
    d.total_bytes = device.total_bytes;
    d.used_bytes = device.bytes_used;
    std::copy_n(stats.values, d.errors.size(), d.errors.begin());
    mounted.devices.push_back(std::move(d));
  }
  return mounted;
}

}  // namespace millrace::node
