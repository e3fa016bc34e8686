#include "agent/sources/file/identity.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/strings.h"

namespace millrace::agent {
namespace {

Result<FileStat> Stat(int dir, const char* path, int flags, std::string_view what) {
  struct statx st{};
  if (::statx(dir, path, flags, STATX_BASIC_STATS | STATX_BTIME, &st) != 0)
    return FailErrno(what, errno);
  FileStat out;
  const auto ns = [](const statx_timestamp& t) {
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
  };
  out.key.device = makedev(st.stx_dev_major, st.stx_dev_minor);
  out.key.inode = st.stx_ino;
  if ((st.stx_mask & STATX_BTIME) != 0) out.key.birth_ns = ns(st.stx_btime);
  out.size = st.stx_size;
  out.modified_ns = ns(st.stx_mtime);
  out.links = st.stx_nlink;
  out.regular = S_ISREG(st.stx_mode);
  return out;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view WithoutCompression(std::string_view name) {
  for (const std::string_view suffix : {".gz", ".zst", ".zstd"})
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  return name;
}

/// Digits of a number or of a date with its separators: 1, 20261122, 2026-11-22T10_00_00Z,
/// 20261122-1700000000.
bool IsRotationMark(std::string_view s) {
  if (s.empty() || !IsDigit(s.front())) return false;
  return std::all_of(s.begin(), s.end(), [](char c) {
    return IsDigit(c) || c == '-' || c == '_' || c == ':' || c == '.' || c == 'T' || c == 'Z';
  });
}

}  // namespace

Result<FileStat> StatPath(const std::string& path) {
  return Stat(AT_FDCWD, path.c_str(), AT_STATX_SYNC_AS_STAT, path);
}

Result<FileStat> StatFd(int fd) { return Stat(fd, "", AT_EMPTY_PATH, "fstat"); }

Fingerprint Fingerprint::Of(std::string_view head) {
  Fingerprint f;
  f.Extend(head);
  return f;
}

void Fingerprint::Extend(std::string_view bytes) {
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  length += static_cast<std::uint32_t>(bytes.size());
}

bool Fingerprint::Matches(std::string_view head) const {
  return head.size() >= length && Of(head.substr(0, length)).hash == hash;
}

std::uint64_t AnchorOf(std::string_view before) {
  if (before.size() > kAnchorBytes) before.remove_prefix(before.size() - kAnchorBytes);
  return before.empty() ? 0 : XXH3_64bits(before.data(), before.size());
}

std::optional<std::string> RotatedFrom(std::string_view name) {
  const std::string_view plain = WithoutCompression(name);
  for (const std::string_view suffix : {".old", ".bak", ".prev", ".orig", ".save", ".rotated"})
    if (plain.size() > suffix.size() && plain.ends_with(suffix))
      return std::string(plain.substr(0, plain.size() - suffix.size()));
  // app.log.1, app.log-20261122: the longest mark that goes to the end.
  for (std::size_t i = 1; i + 1 < plain.size(); ++i) {
    if ((plain[i] == '.' || plain[i] == '-' || plain[i] == '_') &&
        IsRotationMark(plain.substr(i + 1)) && !IsDigit(plain[i - 1]))
      return std::string(plain.substr(0, i));
  }
  // app-20261122.log, app.2.log: the mark stands before the extension. A single number counts only
  // after a dot: app-2.log is more likely a second application than a second generation.
  const auto dot = plain.rfind('.');
  if (dot != std::string_view::npos && dot > 0) {
    const std::string_view stem = plain.substr(0, dot);
    for (std::size_t i = 1; i + 1 < stem.size(); ++i) {
      const std::string_view mark = stem.substr(i + 1);
      if ((stem[i] == '.' || ((stem[i] == '-' || stem[i] == '_') && mark.size() >= 8)) &&
          IsRotationMark(mark) && !IsDigit(stem[i - 1]))
        return std::string(stem.substr(0, i)) + std::string(plain.substr(dot));
    }
  }
  if (plain.size() != name.size()) return std::string(plain);  // app.log.gz
  return std::nullopt;
}

std::optional<std::uint64_t> RotationNumber(std::string_view name) {
  const std::string_view plain = WithoutCompression(name);
  const auto dot = plain.rfind('.');
  if (dot == std::string_view::npos || plain.size() - dot > 7) return std::nullopt;
  return ParseNumber<std::uint64_t>(plain.substr(dot + 1));
}

}  // namespace millrace::agent
