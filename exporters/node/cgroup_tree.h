#pragma once
// The control groups of the host, and whom they belong to.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "exporters/node/files.h"

namespace millrace::node {

/// Who a control group belongs to, read from its path. Empty where it is not known.
struct CgroupOwner {
  std::string_view unit;       ///< "nginx.service", "docker-4f1c....scope"
  std::string_view container;  ///< 64 hexadecimal digits, of docker, containerd, CRI-O or podman.
  std::string pod;             ///< UID of a Kubernetes pod, with dashes.
};
[[nodiscard]] CgroupOwner OwnerOf(std::string_view cgroup_path);

struct Cgroup {
  std::string_view path;  ///< As in /proc/PID/cgroup: "/system.slice/nginx.service"
  const std::string& directory;
  std::uint64_t id = 0;  ///< Inode: another one when a group of that name was made anew.
};

/// Walks over cgroup v2 (or, without it, the memory hierarchy of v1) below `sys`/fs/cgroup.
class CgroupTree {
 public:
  explicit CgroupTree(std::string root) : root_(std::move(root)) {}

  /// Visits every group but the root, parents first, at most `most` of them and 16 levels deep.
  /// kNotFound when there are no control groups.
  [[nodiscard]] Status Walk(std::size_t most, const std::function<void(const Cgroup&)>& visit);
  [[nodiscard]] bool truncated() const { return truncated_; }
  /// What was found at the last walk.
  [[nodiscard]] bool version2() const { return version2_; }

 private:
  void Descend(std::string& directory, std::size_t root_size, int depth, std::size_t& left,
               const std::function<void(const Cgroup&)>& visit);
  const std::string root_;
  bool truncated_ = false, version2_ = false;
};

}  // namespace millrace::node
