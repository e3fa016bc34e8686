#pragma once
// Changes in folders, from inotify(7): one watch a folder, none a file, so ten thousand quiet files
// cost no descriptor. Folders where the kernel cannot tell (network file systems, no watches left)
// are listed for polling.
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::agent {

class Watcher {
 public:
  enum class Mode : std::uint8_t { kAuto, kInotify, kPoll };
  enum class Change : std::uint8_t {
    kModified,  ///< Bytes were written or the file was truncated.
    kAppeared,  ///< Made here or moved here.
    kGone,      ///< Deleted or moved away.
    kFolder,    ///< A folder came or went, or the watched folder itself did: look again.
  };
  /// `name` is empty for kFolder of the folder itself.
  using OnChange = std::function<void(const std::string& folder, std::string_view name, Change)>;

  explicit Watcher(Mode mode);
  /// -1 when everything is polled.
  [[nodiscard]] int fd() const { return inotify_.get(); }
  /// Idempotent. True = the kernel tells of changes, false = the folder has to be polled.
  bool Add(const std::string& folder);
  void Remove(const std::string& folder);
  [[nodiscard]] const std::set<std::string>& polled() const { return polled_; }
  [[nodiscard]] std::size_t watched() const { return folders_.size(); }

  /// Reports what is waiting; returns at once. False = events were lost (the kernel's queue was
  /// full): look at everything.
  [[nodiscard]] bool Drain(const OnChange& on_change);

 private:
  Mode mode_;
  Fd inotify_;
  std::unordered_map<int, std::string> folders_;
  std::unordered_map<std::string, int> ids_;
  std::set<std::string> polled_;
};

}  // namespace millrace::agent
