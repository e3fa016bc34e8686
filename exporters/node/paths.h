#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

namespace millrace::node {

/// Where the host's /proc, /sys, / and udev data are: a container points them at /host, a test at
/// a fixture tree. Without trailing slashes, except that rootfs may be "/".
struct HostPaths {
  std::string proc = "/proc", sys = "/sys", rootfs = "/", udev_data = "/run/udev/data";

  [[nodiscard]] std::string Proc(std::string_view name) const;
  [[nodiscard]] std::string Sys(std::string_view name) const;
  [[nodiscard]] std::string Rootfs(std::string_view name) const;
  [[nodiscard]] std::string UdevData(std::string_view name) const;
  /// A path of the host as the host sees it: without the rootfs prefix.
  [[nodiscard]] std::string_view WithoutRootfs(std::string_view path) const;
};

/// Puts the parts together with slashes into `buffer`, whose memory is reused. The view lives
/// until `buffer` changes.
std::string_view JoinPath(std::string& buffer, std::initializer_list<std::string_view> parts);

/// The last component: "b" of "/a/b".
[[nodiscard]] std::string_view BaseName(std::string_view path);

}  // namespace millrace::node
