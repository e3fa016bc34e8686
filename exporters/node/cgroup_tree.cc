#include "exporters/node/cgroup_tree.h"

#include <algorithm>
#include <memory>

#include <dirent.h>
#include <sys/stat.h>

#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kContainerIdSize = 64;

/// The 64 hexadecimal digits at the end of "docker-<id>.scope" or "<id>".
std::string_view ContainerIdIn(std::string_view component) {
  if (component.ends_with(".scope")) component.remove_suffix(6);
  if (component.size() < kContainerIdSize) return {};
  const std::string_view id = component.substr(component.size() - kContainerIdSize);
  if (id.find_first_not_of("0123456789abcdef") != std::string_view::npos) return {};
  if (component.size() > kContainerIdSize &&
      component[component.size() - kContainerIdSize - 1] != '-')
    return {};
  return id;
}

/// "kubepods-burstable-pod1234_5678.slice" or "pod1234-5678" -> "1234-5678"
std::string PodIn(std::string_view component) {
  if (component.ends_with(".slice")) component.remove_suffix(6);
  const auto at = component.rfind("pod");
  if (at == std::string_view::npos || (at != 0 && component[at - 1] != '-')) return {};
  std::string uid(component.substr(at + 3));
  std::replace(uid.begin(), uid.end(), '_', '-');
  constexpr std::size_t kUidSize = 36, kStaticPodSize = 32;
  if (uid.size() != kUidSize && uid.size() != kStaticPodSize) return {};
  if (uid.find_first_not_of("0123456789abcdef-") != std::string::npos) return {};
  return uid;
}

}  // namespace

CgroupOwner OwnerOf(std::string_view path) {
  CgroupOwner owner;
  while (!path.empty()) {
    const std::string_view component = NextPiece(path, '/');
    if (component.ends_with(".service") || component.ends_with(".scope")) owner.unit = component;
    if (const auto id = ContainerIdIn(component); !id.empty()) owner.container = id;
    if (std::string pod = PodIn(component); !pod.empty()) owner.pod = std::move(pod);
  }
  return owner;
}

void CgroupTree::Descend(std::string& directory, std::size_t root_size, int depth,
                         std::size_t& left, const std::function<void(const Cgroup&)>& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(directory.c_str()), ::closedir);
  if (!opened) return;
  const std::size_t size = directory.size();
  while (const dirent* entry = ::readdir(opened.get())) {
    if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
      continue;
    if (left == 0) {
      truncated_ = true;
      return;
    }
    directory.append("/").append(entry->d_name);
    struct stat st{};
    if (::stat(directory.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) {
      --left;
      visit({std::string_view(directory).substr(root_size), directory, st.st_ino});
      if (depth < kMaxDepth) Descend(directory, root_size, depth + 1, left, visit);
    }
    directory.resize(size);
  }
}

Status CgroupTree::Walk(std::size_t most, const std::function<void(const Cgroup&)>& visit) {
  truncated_ = false;
  version2_ = Exists(root_ + "/cgroup.controllers");
  std::string directory = version2_ ? root_ : root_ + "/memory";
  if (!IsDirectory(directory)) return Fail(ErrorCode::kNotFound, "no control groups at " + root_);
  const std::size_t root_size = directory.size();
  Descend(directory, root_size, 1, most, visit);
  return {};
}

}  // namespace millrace::node
