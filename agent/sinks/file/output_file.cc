#include "agent/sinks/file/output_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sinks/support/repair.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "common/time/format.h"

namespace millrace::agent {
namespace {

/// Plain bytes in one frame: what has to be read again to repair the last one, and enough that
/// starting anew costs nothing.
constexpr std::uint64_t kFrameBytes = std::uint64_t{8} << 20;
constexpr std::size_t kKeepBuffer = std::size_t{512} << 10;

std::string Folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view CompressionSuffix(std::string_view path) {
  for (const std::string_view suffix : {".zst", ".gz"})
    if (path.ends_with(suffix) && path.size() > suffix.size()) return suffix;
  return {};
}

constexpr std::string_view kStampShape = "dddddddd-dddddd-";  // 20261122T205548Z

bool IsStamp(std::string_view s) {
  if (s.size() < kStampShape.size() || s[8] != 'T' || s[15] != 'Z') return false;
  for (std::size_t i = 0; i < kStampShape.size(); ++i)
    if (kStampShape[i] == 'd' && (s[i] < '0' || s[i] > '9')) return false;
  return s.size() == kStampShape.size() || s[kStampShape.size()] == '-';
}

/// The stamps of the rotated files that belong to `path`.
std::vector<std::string> RotatedStamps(const std::string& path) {
  const std::string_view suffix = CompressionSuffix(path);
  std::string base = path.substr(path.rfind('/') + 1);
  base.resize(base.size() - suffix.size());
  base += '.';
  std::vector<std::string> stamps;
  DIR* dir = ::opendir(Folder(path).c_str());
  if (dir == nullptr) return stamps;
  while (const dirent* entry = ::readdir(dir)) {
    std::string_view name = entry->d_name;
    if (name.size() < base.size() + suffix.size() || !name.starts_with(base) ||
        !name.ends_with(suffix))
      continue;
    name.remove_prefix(base.size());
    name.remove_suffix(suffix.size());
    if (IsStamp(name)) stamps.emplace_back(name);
  }
  ::closedir(dir);
  return stamps;
}

Status SyncFolder(const std::string& path) {
  const Fd fd(::open(Folder(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return FailErrno("fsync " + Folder(path), errno);
  return {};
}

}  // namespace

std::string RotatedName(const std::string& path, std::chrono::system_clock::time_point now) {
  std::string stamp;
  static_cast<void>(
      AppendStrftime(stamp, "%Y%m%dT%H%M%SZ", std::chrono::system_clock::to_time_t(now)));
  // Several within a second are numbered, on from the highest, so that names keep the order of
  // time.
  unsigned next = 0;
  for (const std::string& other : RotatedStamps(path)) {
    if (!other.starts_with(stamp)) continue;
    const std::string_view number = std::string_view(other).substr(stamp.size());
    next = std::max(next,
                    1 + (number.empty() ? 0 : ParseNumber<unsigned>(number.substr(1)).value_or(0)));
  }
  char number[16] = "";
  if (next > 0) std::snprintf(number, sizeof number, "-%04u", next);
  const std::string_view suffix = CompressionSuffix(path);
  return path.substr(0, path.size() - suffix.size()) + "." + stamp + number + std::string(suffix);
}

Result<std::unique_ptr<OutputFile>> OutputFile::Open(std::string path,
                                                     const OutputFileOptions& options,
                                                     OwnedFiles& owned) {
  MILLRACE_TRY(MakeDirectories(Folder(path)));
  for (;;) {
    Fd fd(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, options.mode));
    if (!fd) return FailErrno("open " + path, errno);
    std::unique_ptr<OutputFile> file(
        new OutputFile(std::move(path), options, owned, std::move(fd)));
    struct stat st{};
    if (::fstat(file->fd_.get(), &st) != 0) return FailErrno("stat " + file->path_, errno);
    file->id_ = {st.st_dev, st.st_ino};
    file->fresh_ = st.st_size == 0;
    const bool ours = owned.Contains(file->id_);
    MILLRACE_ASSIGN(const Repair repair, RepairTail(file->fd_.get(), options.compression, ours));
    if (repair.foreign) {
      log::Warn("File is not in the format of this sink; it is moved aside",
                {{"path", file->path_}});
      path = file->path_;
      MILLRACE_TRY(file->MoveAway(std::chrono::system_clock::now()));
      continue;
    }
    if (repair.cut > 0 || repair.completed)
      log::Info("Repaired the end of a file that an earlier process left unfinished",
                {{"path", file->path_},
                 {"cut_bytes", repair.cut},
                 {"frame_completed", repair.completed}});
    MILLRACE_TRY(owned.Add(file->id_));
    if (::fstat(file->fd_.get(), &st) != 0) return FailErrno("stat " + file->path_, errno);
    file->size_ = static_cast<std::uint64_t>(st.st_size);
    const auto now = std::chrono::system_clock::now();
    // A file belongs to the period of its last write.
    file->period_ = file->fresh_
                        ? file->Period(now)
                        : file->Period(std::chrono::system_clock::from_time_t(st.st_mtime));
    return file;
  }
}

OutputFile::OutputFile(std::string path, const OutputFileOptions& options, OwnedFiles& owned, Fd fd)
    : path_(std::move(path)),
      options_(options),
      owned_(owned),
      fd_(std::move(fd)),
      compressor_(MakeStreamCompressor(options.compression, options.level, options.window_log)) {}

OutputFile::~OutputFile() {
  if (!dirty() && frame_ == 0) owned_.Remove(id_);
}

Status OutputFile::WriteWire(Buffer& wire, std::uint64_t& written) {
  while (wire_done_ < wire.size()) {
    const ssize_t n = ::write(fd_.get(), wire.data() + wire_done_, wire.size() - wire_done_);
    if (n < 0) {
      if (errno == EINTR) continue;
      return FailErrno("write " + path_, errno);
    }
    wire_done_ += static_cast<std::size_t>(n);
    written += static_cast<std::uint64_t>(n);
    size_ += static_cast<std::uint64_t>(n);
    unsynced_ = true;
  }
  wire_done_ = 0;
  wire.clear();
  if (wire.capacity() > kKeepBuffer) wire.ShrinkTo(0);
  return {};
}

Status OutputFile::Flush(std::uint64_t& written) {
  if (compressor_ == nullptr) return WriteWire(pending_, written);
  if (!pending_.empty()) {
    compressor_->Write(pending_.view(), wire_);
    frame_ += pending_.size();
    pending_.clear();
    if (frame_ >= kFrameBytes) {
      compressor_->End(wire_);
      frame_ = 0;
    } else {
      compressor_->Flush(wire_);
    }
  }
  return WriteWire(wire_, written);
}

Status OutputFile::Finish(std::uint64_t& written) {
  MILLRACE_TRY(Flush(written));
  if (compressor_ == nullptr || frame_ == 0) return {};
  compressor_->End(wire_);
  frame_ = 0;
  return WriteWire(wire_, written);
}

Status OutputFile::Sync() {
  if (!unsynced_) return {};
  // EINVAL: a pipe or a terminal, which has nothing to sync.
  if (::fdatasync(fd_.get()) != 0 && errno != EINVAL) return FailErrno("fsync " + path_, errno);
  if (fresh_) MILLRACE_TRY(SyncFolder(path_));
  fresh_ = false;
  unsynced_ = false;
  return {};
}

std::int64_t OutputFile::Period(std::chrono::system_clock::time_point t) const {
  if (options_.rotate_interval.count() == 0) return 0;
  return std::chrono::system_clock::to_time_t(t) / options_.rotate_interval.count();
}

OutputFile::Fate OutputFile::Check(std::chrono::system_clock::time_point now) {
  if (options_.rotate_bytes > 0 && size_ >= options_.rotate_bytes) return Fate::kRotate;
  if (size_ > 0 && Period(now) != period_) return Fate::kRotate;
  const auto steady = std::chrono::steady_clock::now();
  if (steady < next_check_) return Fate::kStay;
  next_check_ = steady + std::chrono::seconds(1);
  struct stat st{};
  if (::stat(path_.c_str(), &st) != 0) return errno == ENOENT ? Fate::kReopen : Fate::kStay;
  return OwnedFiles::Id(st.st_dev, st.st_ino) == id_ ? Fate::kStay : Fate::kReopen;
}

Status OutputFile::MoveAway(std::chrono::system_clock::time_point now) {
  const std::string to = RotatedName(path_, now);
  if (::rename(path_.c_str(), to.c_str()) != 0) return FailErrno("rename " + path_, errno);
  Prune();
  return {};
}

void OutputFile::Prune() const {
  if (options_.keep == 0) return;
  std::vector<std::string> stamps = RotatedStamps(path_);
  std::sort(stamps.begin(), stamps.end(), std::greater<>());
  const std::string_view suffix = CompressionSuffix(path_);
  const std::string base = path_.substr(0, path_.size() - suffix.size()) + ".";
  for (std::size_t i = options_.keep; i < stamps.size(); ++i)
    ::unlink((base + stamps[i] + std::string(suffix)).c_str());
}

}  // namespace millrace::agent
