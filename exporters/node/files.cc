#include "exporters/node/files.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/base/strings.h"

namespace millrace::node {
namespace {

constexpr std::size_t kFirstBuffer = 4096;
constexpr std::size_t kPage = 4096;
// A reader looks for files nobody asks for any more after this many reads per open file.
constexpr std::size_t kSweepFactor = 8;

// Sockets and textfiles need descriptors too: kept files take half of what the process may have.
std::atomic<int>& KeptBudget() {
  static std::atomic<int> budget = [] {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
    return static_cast<int>(std::clamp<rlim_t>(limit.rlim_cur / 2, 64, 4096));
  }();
  return budget;
}

enum class Keep : unsigned char { kNo, kYes, kSysfs };

// Files of procfs that one read returns whole (single_open in the kernel), however long they are.
constexpr std::array<std::string_view, 11> kWholeFiles = {
    "/loadavg",      "/stat",          "/meminfo",     "/net/netstat", "/net/snmp",    "/net/snmp6",
    "/net/sockstat", "/net/sockstat6", "/ip_vs_stats", "/net/rpc/nfs", "/net/rpc/nfsd"};
// Files of procfs whose lines are shorter than kShortLine. The end of net/udp is dear: the kernel
// walks its whole hash table once more.
constexpr std::array<std::string_view, 8> kShortLineFiles = {
    "/net/udp",   "/net/udp6", "/net/softnet_stat", "/net/dev",
    "/diskstats", "/vmstat",   "/net/arp",          "/buddyinfo"};
constexpr std::size_t kShortLine = 1024;

// What a file that is there answers when it has nothing to say: another open would not help.
bool IsAnswer(std::ptrdiff_t negative_errno) {
  switch (-negative_errno) {
    case EINVAL:
    case EOPNOTSUPP:
    case EAGAIN:
    case EIO:
    case ENODATA:
    case EACCES:
    case EPERM:
      return true;
    default:
      return false;
  }
}

Keep HowToKeep(int fd) {
  struct statfs fs{};
  if (::fstatfs(fd, &fs) != 0) return Keep::kNo;
  switch (static_cast<unsigned long>(fs.f_type)) {
    case SYSFS_MAGIC:
      return Keep::kSysfs;
    case PROC_SUPER_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
      return Keep::kYes;
    default:
      return Keep::kNo;
  }
}

}  // namespace

FileReader::~FileReader() { KeptBudget() += static_cast<int>(open_.size()); }

FileReader::Ending FileReader::EndingOf(std::string_view path, bool sysfs) {
  const auto ends = [&](std::string_view name) { return path.ends_with(name); };
  if (sysfs || path.find("/sys/") != std::string_view::npos ||
      path.find("/pressure/") != std::string_view::npos ||
      std::any_of(kWholeFiles.begin(), kWholeFiles.end(), ends))
    return Ending::kWhole;
  return std::any_of(kShortLineFiles.begin(), kShortLineFiles.end(), ends) ? Ending::kShortLines
                                                                           : Ending::kUnknown;
}

std::ptrdiff_t FileReader::Drain(int fd, Ending ending) {
  std::size_t used = 0;
  for (;;) {
    if (used == buffer_.size()) {
      if (used >= kMaxFile) return -EFBIG;
      buffer_.resize(std::max(kFirstBuffer, used * 2));
    }
    const std::size_t room = buffer_.size() - used;
    const ssize_t n = ::pread(fd, buffer_.data() + used, room, static_cast<off_t>(used));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    const auto got = static_cast<std::size_t>(n);
    used += got;
    const bool end = got == 0 || (got < room && ending == Ending::kWhole) ||
                     (got + kShortLine < std::min(room, kPage) && ending == Ending::kShortLines);
    if (end) return static_cast<std::ptrdiff_t>(used);
  }
}

std::ptrdiff_t FileReader::ReadInto(std::string_view path) {
  if (++reads_ > kSweepFactor * (open_.size() + 8)) Sweep();
  const auto found = open_.find(path);
  if (found != open_.end()) {
    found->second.used = generation_;
    const std::ptrdiff_t n = Drain(found->second.fd.get(), found->second.ending);
    if (n >= 0 || IsAnswer(n)) return n;
    // The device behind the descriptor went away; the path may lead to a new one.
    open_.erase(found);
    ++KeptBudget();
  }
  path_.assign(path);
  Fd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return -errno;
  const Keep keep = HowToKeep(fd.get());
  const Ending ending =
      keep == Keep::kNo ? Ending::kUnknown : EndingOf(path_, keep == Keep::kSysfs);
  const std::ptrdiff_t n = Drain(fd.get(), ending);
  if (n == -ESPIPE) return -EINVAL;
  if (keep == Keep::kNo || (n < 0 && !IsAnswer(n))) return n;
  if (--KeptBudget() < 0) {
    ++KeptBudget();
    return n;
  }
  Entry& e = open_[path_];
  e.fd = std::move(fd);
  e.ending = ending;
  e.used = generation_;
  return n;
}

void FileReader::Sweep() {
  for (auto i = open_.begin(); i != open_.end();) {
    if (i->second.used == generation_) {
      ++i;
    } else {
      i = open_.erase(i);
      ++KeptBudget();
    }
  }
  ++generation_;
  reads_ = 0;
}

void FileReader::Forget(std::string_view directory) {
  for (auto i = open_.begin(); i != open_.end();) {
    const std::string_view path = i->first;
    if (path.starts_with(directory) && path.substr(directory.size()).starts_with('/')) {
      i = open_.erase(i);
      ++KeptBudget();
    } else {
      ++i;
    }
  }
}

Result<std::string_view> FileReader::Read(std::string_view path) {
  const std::ptrdiff_t n = ReadInto(path);
  errno_ = n < 0 ? static_cast<int>(-n) : 0;
  if (n == -EFBIG)
    return Fail(ErrorCode::kResourceExhausted, std::string(path) + ": larger than 16 MiB");
  if (n < 0) return FailErrno(std::string("open ").append(path), errno_);
  return std::string_view(buffer_.data(), static_cast<std::size_t>(n));
}

std::optional<std::string_view> FileReader::Try(std::string_view path) {
  const std::ptrdiff_t n = ReadInto(path);
  errno_ = n < 0 ? static_cast<int>(-n) : 0;
  if (n < 0) return std::nullopt;
  return Trim({buffer_.data(), static_cast<std::size_t>(n)});
}

std::optional<std::uint64_t> FileReader::TryUnsigned(std::string_view path) {
  const auto text = Try(path);
  return text ? ParseNumber<std::uint64_t>(*text) : std::nullopt;
}

std::optional<std::int64_t> FileReader::TrySigned(std::string_view path) {
  const auto text = Try(path);
  return text ? ParseNumber<std::int64_t>(*text) : std::nullopt;
}

std::optional<double> FileReader::TryFloat(std::string_view path) {
  const auto text = Try(path);
  return text ? ParseNumber<double>(*text) : std::nullopt;
}

Status DirList::Open(std::string_view path) {
  path_.assign(path);
  fd_ = Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd_) return FailErrno("open " + path_, errno);
  sysfs_ = HowToKeep(fd_.get()) == Keep::kSysfs;
  return {};
}

Status DirList::Read(std::string_view path) {
  if (fd_ && path_ == path && ::lseek(fd_.get(), 0, SEEK_SET) == 0) {
    const Status again = ReadNames();
    // A directory of sysfs that was removed and made anew looks empty through the old descriptor.
    if (again && !names_.empty()) return again;
  }
  names_.clear();
  MILLRACE_TRY(Open(path));
  return ReadNames();
}

Status DirList::ReadNames() {
  names_.clear();
  bytes_.clear();
  // getdents64 and not readdir: opendir allocates 32 KiB every time.
  struct Entry {
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[1];
  };
  constexpr std::size_t kLongestEntry = 300;
  alignas(8) std::array<char, 16384> chunk;
  for (;;) {
    const long n = ::syscall(SYS_getdents64, fd_.get(), chunk.data(), chunk.size());
    if (n < 0) {
      const int error = errno;
      fd_.Reset();
      return FailErrno("read directory " + path_, error);
    }
    for (long at = 0; at < n;) {
      const auto* entry = static_cast<const Entry*>(static_cast<const void*>(chunk.data() + at));
      const std::string_view name(entry->name);
      if (name != "." && name != "..") bytes_.append(name) += '\0';
      at += entry->size;
    }
    // sysfs stops early only when the next name does not fit.
    if (n == 0 || (sysfs_ && static_cast<std::size_t>(n) + kLongestEntry < chunk.size())) break;
  }
  if (!sysfs_) fd_.Reset();
  for (std::size_t at = 0; at < bytes_.size();) {
    const std::string_view name(bytes_.data() + at);
    names_.push_back(name);
    at += name.size() + 1;
  }
  std::sort(names_.begin(), names_.end());
  return {};
}

std::optional<std::string> ReadLink(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t n = ::readlink(path.c_str(), target.data(), target.size());
  if (n < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(n));
}

std::uint64_t DirectoryInode(const std::string& path) {
  struct stat s{};
  return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode) ? s.st_ino : 0;
}

bool IsDirectory(const std::string& path) { return DirectoryInode(path) != 0; }

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace millrace::node
