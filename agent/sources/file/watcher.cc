#include "agent/sources/file/watcher.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/log/log.h"

namespace millrace::agent {
namespace {

constexpr std::uint32_t kMask = IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/// File systems on which other machines (or a user-space server) write without this kernel knowing.
bool NeedsPolling(const std::string& folder) {
  struct statfs st{};
  if (::statfs(folder.c_str(), &st) != 0) return false;
  constexpr std::array<std::uint32_t, 9> kRemote = {
      0x6969 /* nfs */,     0xff534d42 /* cifs */,   0xfe534d42 /* smb2 */,
      0x01021997 /* 9p */,  0x00c36400 /* ceph */,   0x65735546 /* fuse */,
      0x5346414f /* afs */, 0x0bd00bd0 /* lustre */, 0x47504653 /* gpfs */};
  for (const std::uint32_t magic : kRemote)
    if (static_cast<std::uint32_t>(st.f_type) == magic) return true;
  return false;
}

}  // namespace

Watcher::Watcher(Mode mode) : mode_(mode) {
  if (mode_ == Mode::kPoll) return;
  inotify_ = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_)
    log::Warn("No inotify; files are polled", {{"error", std::string_view(std::strerror(errno))}});
}

bool Watcher::Add(const std::string& folder) {
  if (ids_.count(folder) != 0) return true;
  if (polled_.count(folder) != 0) return false;
  if (!inotify_ || mode_ == Mode::kPoll || (mode_ == Mode::kAuto && NeedsPolling(folder))) {
    polled_.insert(folder);
    return false;
  }
  const int id = ::inotify_add_watch(inotify_.get(), folder.c_str(), kMask);
  if (id < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) return true;  // gone again: its parent will tell
    static log::Limit limit;
    if (limit.Pass())
      log::Warn("Cannot watch a folder; it is polled (fs.inotify.max_user_watches?)",
                {{"folder", folder}, {"error", std::string_view(std::strerror(error))}});
    polled_.insert(folder);
    return false;
  }
  // Two paths may lead to one folder (symbolic links): the kernel then gives the same id. The first
  // name stays; the other is polled, or its events would come under a path nobody knows.
  if (const auto it = folders_.find(id); it != folders_.end() && it->second != folder) {
    polled_.insert(folder);
    return false;
  }
  folders_[id] = folder;
  ids_[folder] = id;
  return true;
}

void Watcher::Remove(const std::string& folder) {
  polled_.erase(folder);
  const auto it = ids_.find(folder);
  if (it == ids_.end()) return;
  ::inotify_rm_watch(inotify_.get(), it->second);
  folders_.erase(it->second);
  ids_.erase(it);
}

bool Watcher::Drain(const OnChange& on_change) {
  bool complete = true;
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  while (inotify_) {
    const ssize_t n = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* raw = buffer.data() + at + sizeof event;
      const std::string_view name(raw, event.len == 0 ? 0 : ::strnlen(raw, event.len));
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        complete = false;
        continue;
      }
      const auto it = folders_.find(event.wd);
      if (it == folders_.end()) continue;
      const std::string folder = it->second;  // Remove() below may end the entry
      if ((event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0) {
        if ((event.mask & IN_IGNORED) == 0) ::inotify_rm_watch(inotify_.get(), event.wd);
        ids_.erase(folder);
        folders_.erase(event.wd);
        on_change(folder, {}, Change::kFolder);
      } else if ((event.mask & IN_ISDIR) != 0) {
        on_change(folder, name, Change::kFolder);
      } else if ((event.mask & IN_MODIFY) != 0) {
        on_change(folder, name, Change::kModified);
      } else if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
        on_change(folder, name, Change::kAppeared);
      } else {
        on_change(folder, name, Change::kGone);
      }
    }
  }
  return complete;
}

}  // namespace millrace::agent
