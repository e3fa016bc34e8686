#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <vector>

#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// statfs of these reads counters in memory and cannot wait for a server or a daemon. All others
// (NFS, CIFS, FUSE, ...) are asked on a thread of their own.
constexpr std::array<std::string_view, 9> kNeverHang = {
    "ext2", "ext3", "ext4", "xfs", "tmpfs", "ramfs", "rootfs", "vfat", "devtmpfs"};

// The collector must be done before the scrape gives it up.
constexpr double kShareOfCollectorTimeout = 0.75;

struct Usage {
  double size = 0, free = 0, available = 0, files = 0, files_free = 0;
  int error = 0;
};

Usage Ask(const std::string& path) {
  struct statfs s{};
  Usage u;
  if (::statfs(path.c_str(), &s) != 0) {
    u.error = errno;
    return u;
  }
  const auto block = static_cast<double>(s.f_bsize);
  u.size = static_cast<double>(s.f_blocks) * block;
  u.free = static_cast<double>(s.f_bfree) * block;
  u.available = static_cast<double>(s.f_bavail) * block;
  u.files = static_cast<double>(s.f_files);
  u.files_free = static_cast<double>(s.f_ffree);
  return u;
}

/// statfs with a deadline. A call that hangs keeps its thread (nothing can interrupt it) and its
/// mount point is not asked again until it returns: at most one thread a mount.
class BackgroundStatfs {
 public:
  /// Starts a call, unless one is under way for this path.
  void Start(const std::string& path) {
    {
      const std::lock_guard lock(state_->mu);
      Call& call = state_->calls[path];
      if (call.running) return;
      call = {true, false, {}};
    }
    try {
      std::thread([state = state_, path] {
        const Usage usage = Ask(path);
        const std::lock_guard lock(state->mu);
        state->calls[path] = {false, false, usage};
        state->done.notify_all();
      }).detach();
    } catch (const std::system_error&) {  // no more threads
      const std::lock_guard lock(state_->mu);
      Usage none;
      none.error = EAGAIN;
      state_->calls[path] = {false, false, none};
    }
  }

  /// The answer, or nothing when it did not come before `deadline`; a call that missed one
  /// deadline is not waited for again.
  std::optional<Usage> Wait(const std::string& path,
                            std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(state_->mu);
    const auto finished = [&] { return !state_->calls[path].running; };
    if (!state_->calls[path].late) state_->done.wait_until(lock, deadline, finished);
    Call& call = state_->calls[path];
    if (!finished()) {
      call.late = true;
      return std::nullopt;
    }
    const Usage usage = call.usage;
    state_->calls.erase(path);
    return usage;
  }

 private:
  struct Call {
    bool running = false, late = false;
    Usage usage;
  };
  // Outlives the collector while a call hangs.
  struct State {
    std::mutex mu;
    std::condition_variable done;
    std::unordered_map<std::string, Call> calls;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Go's texts of errno: what the label device_error holds in the original.
std::string ErrorText(int error) {
  if (error == ESTALE) return "stale NFS file handle";
  std::string text = std::generic_category().message(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z')
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

bool HasOption(std::string_view options, std::string_view wanted) {
  while (!options.empty())
    if (NextPiece(options, ',') == wanted) return true;
  return false;
}

void Unescape(std::string& path, std::string_view escape, char c) {
  for (auto at = path.find(escape); at != std::string::npos; at = path.find(escape, at + 1))
    path.replace(at, escape.size(), 1, c);
}

struct Mount {
  std::string device, point, type, major, minor, error, host_path;
  bool read_only = false, background = false;
  Usage usage;
};

class Filesystem : public Collector {
 public:
  Filesystem(const Context& context, NameFilter points, NameFilter types)
      : paths_(context.paths),
        init_(context.paths.Proc("1/mountinfo")),
        self_(context.paths.Proc("self/mountinfo")),
        timeout_(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
            std::chrono::duration<double>(std::min(
                context.flags.GetSeconds("collector.filesystem.mount-timeout"),
                kShareOfCollectorTimeout * context.flags.GetSeconds("collector.timeout"))))),
        points_(std::move(points)),
        types_(std::move(types)) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(ReadMounts());
    AskAll();
    Write(out);
    return {};
  }

 private:
  // In a container with the host's /proc the mounts are those of the host's first process; with
  // hidepid that one is invisible.
  Status ReadMounts() {
    count_ = 0;
    auto text = files_.Read(init_);
    if (!text && text.error().code == ErrorCode::kNotFound) text = files_.Read(self_);
    if (!text) return tl::make_unexpected(std::move(text).error());
    std::string_view rest = *text;
    std::string_view line;
    while (NextLine(rest, line)) MILLRACE_TRY(ReadMount(line));
    return {};
  }

  // proc(5): id parent major:minor root point options tags... - type source super-options
  Status ReadMount(std::string_view line) {
    const auto bad = [&] { return BadContent(init_, "line", line); };
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) return bad();
    std::string_view left = line.substr(0, dash);
    std::string_view right = line.substr(dash + 3);
    NextPiece(left, ' ');
    NextPiece(left, ' ');
    std::string_view device_number = NextPiece(left, ' ');
    NextPiece(left, ' ');
    point_.assign(NextPiece(left, ' '));
    const std::string_view options = NextPiece(left, ' ');
    const std::string_view type = NextPiece(right, ' ');
    const std::string_view source = NextPiece(right, ' ');
    const std::string_view major = NextPiece(device_number, ':');
    if (point_.empty() || !ParseNumber<unsigned>(major) || !ParseNumber<unsigned>(device_number))
      return bad();
    Unescape(point_, "\\040", ' ');
    Unescape(point_, "\\011", '\t');
    const std::string_view point = paths_.WithoutRootfs(point_);
    if (points_.Ignored(point) || types_.Ignored(type)) return {};
    for (std::size_t i = 0; i < count_; ++i)
      if (mounts_[i].device == source && mounts_[i].point == point && mounts_[i].type == type)
        return {};
    if (count_ == mounts_.size()) mounts_.emplace_back();
    Mount& m = mounts_[count_++];
    m.device.assign(source);
    m.point.assign(point);
    m.type.assign(type);
    m.major.assign(major);
    m.minor.assign(device_number);
    m.error.clear();
    JoinPath(m.host_path, {paths_.rootfs, point});
    m.read_only =
        HasOption(options, "ro") || HasOption(right, "ro") || HasOption(right, "emergency_ro");
    m.background = std::find(kNeverHang.begin(), kNeverHang.end(), type) == kNeverHang.end();
    return {};
  }

  void AskAll() {
    const auto deadline = std::chrono::steady_clock::now() + timeout_;
    for (std::size_t i = 0; i < count_; ++i)
      if (mounts_[i].background) statfs_.Start(mounts_[i].host_path);
    for (std::size_t i = 0; i < count_; ++i)
      if (!mounts_[i].background) mounts_[i].usage = Ask(mounts_[i].host_path);
    for (std::size_t i = 0; i < count_; ++i) {
      Mount& m = mounts_[i];
      if (m.background) {
        const auto usage = statfs_.Wait(m.host_path, deadline);
        m.usage = usage.value_or(Usage{});
        if (!usage) m.error = "mountpoint timeout";
      }
      if (m.usage.error != 0) m.error = ErrorText(m.usage.error);
    }
  }

  template <class Value>
  void Column(MetricWriter& out, const Metric& metric, bool failed_too, Value&& value) const {
    out.Family(metric);
    for (std::size_t i = 0; i < count_; ++i) {
      const Mount& m = mounts_[i];
      if (!failed_too && !m.error.empty()) continue;
      out.Sample({{"device", m.device},
                  {"device_error", m.error},
                  {"fstype", m.type},
                  {"mountpoint", m.point}},
                 value(m));
    }
  }

  void Write(MetricWriter& out) const {
    Column(out,
           {"node_filesystem_device_error", kGauge, "1 when a file system could not be asked."},
           true, [](const Mount& m) { return m.error.empty() ? 0.0 : 1.0; });
    Column(out, {"node_filesystem_readonly", kGauge, "1 when a file system is read-only."}, true,
           [](const Mount& m) { return m.read_only ? 1.0 : 0.0; });
    Column(out, {"node_filesystem_size_bytes", kGauge, "Size of a file system."}, false,
           [](const Mount& m) { return m.usage.size; });
    Column(out, {"node_filesystem_free_bytes", kGauge, "Free space of a file system."}, false,
           [](const Mount& m) { return m.usage.free; });
    Column(out, {"node_filesystem_avail_bytes", kGauge, "Free space that is not kept for root."},
           false, [](const Mount& m) { return m.usage.available; });
    Column(out, {"node_filesystem_files", kGauge, "File nodes of a file system."}, false,
           [](const Mount& m) { return m.usage.files; });
    Column(out, {"node_filesystem_files_free", kGauge, "Free file nodes of a file system."}, false,
           [](const Mount& m) { return m.usage.files_free; });
    // Always 0 outside macOS, but the original writes it here too.
    Column(out,
           {"node_filesystem_purgeable_bytes", kGauge, "Space that macOS could free: 0 on Linux."},
           false, [](const Mount&) { return 0.0; });
    out.Family("node_filesystem_mount_info", kGauge, "Always 1; the device number of a mount.");
    for (std::size_t i = 0; i < count_; ++i) {
      const Mount& m = mounts_[i];
      if (m.error.empty())
        out.Sample(
            {{"device", m.device}, {"major", m.major}, {"minor", m.minor}, {"mountpoint", m.point}},
            1);
    }
  }

  const HostPaths paths_;
  const std::string init_, self_;
  const std::chrono::steady_clock::duration timeout_;
  NameFilter points_, types_;
  BackgroundStatfs statfs_;
  FileReader files_;
  std::string point_;
  std::vector<Mount> mounts_;
  std::size_t count_ = 0;
};

void Declare(FlagSet& flags) {
  flags.Text(
      "collector.filesystem.mount-points-exclude",
      "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
      "Regexp of mount points to leave out (not together with mount-points-include).");
  flags.Text("collector.filesystem.ignored-mount-points", "", "Old name of mount-points-exclude.");
  flags.Hide();
  flags.Text("collector.filesystem.mount-points-include", "",
             "Regexp of mount points to include (not together with mount-points-exclude).");
  flags.Text("collector.filesystem.fs-types-exclude",
             "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|"
             "iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|"
             "squashfs|erofs|sysfs|tracefs)$",
             "Regexp of file system types to leave out (not together with fs-types-include).");
  flags.Text("collector.filesystem.ignored-fs-types", "", "Old name of fs-types-exclude.");
  flags.Hide();
  flags.Text("collector.filesystem.fs-types-include", "",
             "Regexp of file system types to include (not together with fs-types-exclude).");
  flags.Duration("collector.filesystem.mount-timeout", "5s",
                 "How long a mount may take to answer before it counts as stuck; at most three "
                 "quarters of --collector.timeout.");
  flags.Integer("collector.filesystem.stat-workers", 4,
                "Accepted for node_exporter; every mount that may hang has its own thread here.");
  flags.Hide();
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(NameFilter points,
                  FilterFromFlags(context.flags, {"collector.filesystem.mount-points-exclude",
                                                  "collector.filesystem.mount-points-include",
                                                  "collector.filesystem.ignored-mount-points"}));
  MILLRACE_ASSIGN(NameFilter types,
                  FilterFromFlags(context.flags, {"collector.filesystem.fs-types-exclude",
                                                  "collector.filesystem.fs-types-include",
                                                  "collector.filesystem.ignored-fs-types"}));
  return std::make_unique<Filesystem>(context, std::move(points), std::move(types));
}

}  // namespace

MILLRACE_COLLECTOR(Filesystem) = {"filesystem", true, "Space and nodes of mounted file systems",
                                  &Declare, &Make};

}  // namespace millrace::node
