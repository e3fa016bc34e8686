#include "exporters/node/paths.h"

namespace millrace::node {
namespace {

std::string Under(std::string_view base, std::string_view name) {
  std::string out;
  JoinPath(out, {base, name});
  return out;
}

}  // namespace

std::string_view JoinPath(std::string& buffer, std::initializer_list<std::string_view> parts) {
  buffer.clear();
  for (std::string_view part : parts) {
    if (!buffer.empty()) {
      if (buffer.back() != '/') buffer += '/';
      while (part.starts_with('/')) part.remove_prefix(1);
    }
    buffer += part;
  }
  return buffer;
}

std::string_view BaseName(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 == 0
}

std::string HostPaths::Proc(std::string_view name) const { return Under(proc, name); }
std::string HostPaths::Sys(std::string_view name) const { return Under(sys, name); }
std::string HostPaths::Rootfs(std::string_view name) const { return Under(rootfs, name); }
std::string HostPaths::UdevData(std::string_view name) const { return Under(udev_data, name); }

std::string_view HostPaths::WithoutRootfs(std::string_view path) const {
  if (rootfs == "/" || !path.starts_with(rootfs)) return path;
  path.remove_prefix(rootfs.size());
  return path.empty() ? "/" : path;
}

}  // namespace millrace::node
