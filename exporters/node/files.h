#pragma once
// The small files of /proc and /sys, read again at every scrape. Most of a scrape's time is open()
// and close(): descriptors of procfs, sysfs and cgroupfs stay open and are read with pread().
// Files elsewhere (fixtures, textfiles) are opened anew, because a rename would leave us with the
// old one.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::node {

/// Larger files are refused: kResourceExhausted.
inline constexpr std::size_t kMaxFile = std::size_t{16} << 20;

/// One per collector; not thread safe. Forgets files that were not asked for in a while.
class FileReader {
 public:
  FileReader() = default;
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader();

  /// The whole file. The view lives until the next read with this reader.
  [[nodiscard]] Result<std::string_view> Read(std::string_view path);
  /// The same without white space at both ends; nothing when it cannot be read (see
  /// last_errno()). For attributes that are often absent: makes no error text.
  [[nodiscard]] std::optional<std::string_view> Try(std::string_view path);
  /// A file that holds one number; nothing when it is unreadable or not a number.
  [[nodiscard]] std::optional<std::uint64_t> TryUnsigned(std::string_view path);
  [[nodiscard]] std::optional<std::int64_t> TrySigned(std::string_view path);
  [[nodiscard]] std::optional<double> TryFloat(std::string_view path);
  /// Closes what was kept below `directory`, because another thing has its name now. sysfs says so
  /// itself when a device goes, but not when it is renamed.
  void Forget(std::string_view directory);
  /// errno of the last read, 0 after success.
  [[nodiscard]] int last_errno() const { return errno_; }

 private:
  /// How much of a file may be left when a read returned less than there was room for.
  enum class Ending : unsigned char {
    kUnknown,     ///< Anything: only a read of nothing is the end.
    kWhole,       ///< Nothing: the kernel gives such a file in one piece.
    kShortLines,  ///< Nothing, unless the kernel's page was nearly full.
  };
  struct Entry {
    Fd fd;
    Ending ending = Ending::kUnknown;
    std::uint32_t used = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  // Bytes read into buffer_, or -errno.
  std::ptrdiff_t ReadInto(std::string_view path);
  std::ptrdiff_t Drain(int fd, Ending ending);
  static Ending EndingOf(std::string_view path, bool sysfs);
  void Sweep();

  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> open_;
  std::string buffer_, path_;
  std::uint32_t generation_ = 1;
  std::size_t reads_ = 0;
  int errno_ = 0;
};

/// Names in a directory, sorted, without "." and "..". Reuses its memory, and the descriptor when
/// the same directory of sysfs is read again.
class DirList {
 public:
  [[nodiscard]] Status Read(std::string_view path);
  [[nodiscard]] std::size_t size() const { return names_.size(); }
  [[nodiscard]] bool empty() const { return names_.empty(); }
  [[nodiscard]] auto begin() const { return names_.begin(); }
  [[nodiscard]] auto end() const { return names_.end(); }

 private:
  [[nodiscard]] Status Open(std::string_view path);
  [[nodiscard]] Status ReadNames();

  std::string path_, bytes_;
  std::vector<std::string_view> names_;
  Fd fd_;
  bool sysfs_ = false;
};

/// The target of a symbolic link as it is stored; nothing when `path` is none.
[[nodiscard]] std::optional<std::string> ReadLink(const std::string& path);
[[nodiscard]] bool IsDirectory(const std::string& path);
/// The inode of a directory, 0 when `path` is none.
[[nodiscard]] std::uint64_t DirectoryInode(const std::string& path);
[[nodiscard]] bool Exists(const std::string& path);

}  // namespace millrace::node
