#pragma once
// Which files this sink was writing when its process ended: only their torn last line may be cut.
#include <set>
#include <string>
#include <utility>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::agent {

/// A list of device and inode numbers kept in `<data_dir>/open_files`: a line is appended before
/// the first write to a file and the list starts anew when all are closed. Not thread safe.
class OwnedFiles {
 public:
  using Id = std::pair<std::uint64_t, std::uint64_t>;  ///< Device, inode.

  /// Reads the list of an earlier process. An unreadable list is an empty one.
  explicit OwnedFiles(std::string data_dir);
  [[nodiscard]] bool Contains(Id id) const { return ids_.contains(id); }
  Status Add(Id id);
  void Remove(Id id);

 private:
  Status Rewrite();
  std::string path_;
  std::set<Id> ids_;
  std::size_t lines_ = 0;
  Fd fd_;
};

}  // namespace millrace::agent
