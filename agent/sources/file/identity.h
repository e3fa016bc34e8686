#pragma once
// What makes a file the same file: device + inode + birth time + a fingerprint of its content that
// grows with it + the bytes before the position. None of them alone: inodes are used again, birth
// times are missing on some file systems, and a thousand files may begin with one header.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::agent {

struct FileKey {
  std::uint64_t device = 0, inode = 0;
  std::int64_t birth_ns = 0;  ///< 0 where the file system has none.
  friend bool operator==(const FileKey&, const FileKey&) = default;
};

struct FileStat {
  FileKey key;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::uint32_t links = 0;
  bool regular = false;
};
/// statx(2), symbolic links followed. kNotFound when there is no such file.
[[nodiscard]] Result<FileStat> StatPath(const std::string& path);
[[nodiscard]] Result<FileStat> StatFd(int fd);

inline constexpr std::uint32_t kMaxFingerprintBytes = 1 << 16;

/// FNV-1a of the first `length` bytes: a hash that can be carried on as the file grows, without its
/// beginning, which may have been truncated away meanwhile.
struct Fingerprint {
  std::uint32_t length = 0;
  std::uint64_t hash = 0xcbf29ce484222325;
  [[nodiscard]] static Fingerprint Of(std::string_view head);
  /// `bytes` follow the first `length` ones.
  void Extend(std::string_view bytes);
  /// Of a head that is at least as long.
  [[nodiscard]] bool Matches(std::string_view head) const;
};

/// Hash of the bytes right before a position, at most kAnchorBytes; the note of a checkpoint. 0 at
/// position 0.
inline constexpr std::size_t kAnchorBytes = 64;
[[nodiscard]] std::uint64_t AnchorOf(std::string_view before);

/// The name that a rotated file had: "app.log" of app.log.1, app.log-20261122.gz, app.log.old,
/// app-20261122.log, app.2.log.zst; nothing for a name that no usual rotation makes.
[[nodiscard]] std::optional<std::string> RotatedFrom(std::string_view name);
/// The N of app.log.N; larger is older.
[[nodiscard]] std::optional<std::uint64_t> RotationNumber(std::string_view name);

}  // namespace millrace::agent
