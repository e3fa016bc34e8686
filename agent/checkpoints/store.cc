#include "agent/checkpoints/store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/checkpoints/log.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

/// Below this a rewrite is not worth its fsync.
constexpr std::uint64_t kCompactFrom = 256 * 1024;
constexpr std::uint32_t kMaxSlots = 1U << 24;

std::int64_t WallNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

struct CheckpointSlot::File {
  Fd fd;
  std::atomic<bool> dirty{false};   ///< Written since the last sync.
  std::atomic<bool> failed{false};  ///< Some slot is unsaved.

  /// Work for the thread that syncs.
  std::mutex mu;
  std::condition_variable_any wake;
  bool work = false;

  void Signal() {
    const std::lock_guard lock(mu);
    work = true;
    wake.notify_one();
  }
  void Touch() {
    if (!dirty.exchange(true, std::memory_order_acq_rel)) Signal();
  }
};

void CheckpointSlot::Save(const AckTracker::Mark& mark) {
  const std::lock_guard lock(mu_);
  mark_ = mark;
  if (removed_) return;
  unsaved_ = !Write();
  if (unsaved_) file_->failed.store(true, std::memory_order_release);
  file_->Touch();
}

bool CheckpointSlot::Write() {
  std::array<char, kSlotSize> bytes{};
  EncodeSlot(bytes.data(), tag_, mark_);
  const auto offset = static_cast<off_t>(index_) * static_cast<off_t>(kSlotSize);
  return ::pwrite(file_->fd.get(), bytes.data(), bytes.size(), offset) ==
         static_cast<ssize_t>(bytes.size());
}

Result<std::unique_ptr<CheckpointStore>> CheckpointStore::Open(const Options& options) {
  std::unique_ptr<CheckpointStore> store(new CheckpointStore);
  MILLRACE_TRY(store->Load(options));
  return store;
}

Status CheckpointStore::Load(const Options& options) {
  MILLRACE_TRY(MakeDirectories(options.folder));
  path_ = options.folder + "/checkpoints";
  write_failures_ = options.write_failures;
  sync_interval_ = options.sync_interval;

  slots_ = std::make_shared<CheckpointSlot::File>();
  const std::string positions = options.folder + "/positions";
  slots_->fd = Fd(::open(positions.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!slots_->fd) return FailErrno("open " + positions, errno);
  if (::flock(slots_->fd.get(), LOCK_EX | LOCK_NB) != 0)
    return Fail(ErrorCode::kResourceExhausted,
                positions + ": in use by another process (two agents with one data_dir?)");

  const Result<std::string> text = ReadFile(path_, std::size_t{4} << 30);
  if (!text && text.error().code != ErrorCode::kNotFound) return tl::make_unexpected(text.error());
  first_start_ = !text;
  created_ns_ = WallNs();
  CheckpointLog log;
  if (text) {
    Result<CheckpointLog> parsed = ParseCheckpointLog(*text);
    if (!parsed && parsed.error().code == ErrorCode::kInvalidArgument)
      return tl::make_unexpected(std::move(parsed).error().Within(path_));
    if (!parsed) {
      // Kept for a look; without it files are read from their beginning: repeated, not lost.
      const std::string aside = path_ + ".damaged";
      log::Error("Checkpoints are unreadable; files are read from their beginning",
                 {{"file", path_}, {"kept_as", aside}, {"error", parsed.error()}});
      static_cast<void>(std::rename(path_.c_str(), aside.c_str()));
      damaged_ = 1;
    } else {
      log = std::move(*parsed);
      damaged_ = log.damaged;
      created_ns_ = log.created_ns;
      if (damaged_ > 0)
        log::Warn("Checkpoint lines are damaged and left out",
                  {{"file", path_}, {"lines", damaged_}});
    }
  }

  for (CheckpointLine& line : log.lines) {
    if (line.kind == CheckpointLine::Kind::kRemove) {
      live_.erase(line.record.key);
      continue;
    }
    Live& live = live_[line.record.key];
    if (live.order == 0) live.order = ++next_order_;
    live.index = line.slot;
    live.detail = std::move(line.record.detail);
    live.mark = line.record.mark;
  }

  // Slots: one owner each, whatever the log says.
  std::vector<std::pair<std::uint64_t, std::string_view>> order;
  for (const auto& [key, live] : live_) order.emplace_back(live.order, key);
  std::sort(order.begin(), order.end());
  std::vector<bool> used;
  std::vector<Live*> homeless;
  for (const auto& [number, key] : order) {
    Live& live = live_.find(std::string(key))->second;
    std::array<char, kSlotSize> bytes{};
    const bool taken = live.index >= kMaxSlots || (live.index < used.size() && used[live.index]);
    if (taken) {
      homeless.push_back(&live);
    } else {
      if (live.index >= used.size()) used.resize(live.index + 1);
      used[live.index] = true;
      const auto offset = static_cast<off_t>(live.index) * static_cast<off_t>(kSlotSize);
      if (::pread(slots_->fd.get(), bytes.data(), bytes.size(), offset) ==
          static_cast<ssize_t>(bytes.size())) {
        const auto mark = DecodeSlot(bytes.data(), CheckpointTag(key));
        if (mark && mark->position >= live.mark.position) live.mark = *mark;
      }
    }
  }
  next_index_ = static_cast<std::uint32_t>(used.size());
  for (std::uint32_t i = 0; i < next_index_; ++i)
    if (!used[i]) free_.push_back(i);
  for (Live* live : homeless) live->index = TakeIndex();
  for (const auto& [number, key] : order) {
    Live& live = live_.find(std::string(key))->second;
    live.slot.reset(new CheckpointSlot(slots_, CheckpointTag(key), live.index, live.mark));
    loaded_.push_back({std::string(key), live.detail, live.mark});
  }

  if (Status s = Compact(); !s) {
    Failed(s.error());
    OpenLogAsItIs();
    slots_->Signal();
  }
  syncer_ = std::jthread([this](const std::stop_token& stop) { SyncLoop(stop); });
  return {};
}

void CheckpointStore::OpenLogAsItIs() {
  log_ = Fd(::open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
  struct stat st{};
  if (log_ && ::fstat(log_.get(), &st) == 0) log_size_ = static_cast<std::uint64_t>(st.st_size);
}

CheckpointStore::~CheckpointStore() { static_cast<void>(Close()); }

std::uint32_t CheckpointStore::TakeIndex() {
  if (free_.empty()) return next_index_++;
  const std::uint32_t index = free_.back();
  free_.pop_back();
  return index;
}

void CheckpointStore::AppendPut(const std::string& key, const Live& live) {
  AppendPutLine(pending_, live.index, live.mark, key, live.detail);
}

std::shared_ptr<CheckpointSlot> CheckpointStore::Put(const CheckpointRecord& record) {
  const std::lock_guard lock(mu_);
  const auto [it, fresh] = live_.try_emplace(record.key);
  Live& live = it->second;
  if (fresh) {
    live.index = TakeIndex();
    live.order = ++next_order_;
    live.slot.reset(new CheckpointSlot(slots_, CheckpointTag(record.key), live.index, record.mark));
  }
  live.detail = record.detail;
  live.mark = record.mark;
  AppendPut(record.key, live);
  return live.slot;
}

void CheckpointStore::Remove(const std::string& key) {
  const std::lock_guard lock(mu_);
  const auto it = live_.find(key);
  if (it == live_.end()) return;
  {
    const std::lock_guard slot_lock(it->second.slot->mu_);
    it->second.slot->removed_ = true;
  }
  free_.push_back(it->second.index);
  live_.erase(it);
  AppendRemoveLine(pending_, key);
}

void CheckpointStore::Failed(const Error& error) {
  write_failures_.Add();
  static log::Limit limit(std::chrono::seconds(60));
  if (limit.Pass())
    log::Error("Checkpoints cannot be written; reading goes on, a crash now repeats events",
               {{"file", path_}, {"error", error}, {"suppressed", limit.suppressed()}});
}

Status CheckpointStore::Write() {
  const std::lock_guard lock(mu_);
  return WriteLocked();
}

Status CheckpointStore::WriteLocked() {
  if (pending_.empty() || closed_) return {};
  Status s = log_ ? WriteAll(log_.get(), pending_) : FailErrno("open " + path_, ENOENT);
  if (!s) {
    // A torn line in the middle would cost the line after it too.
    if (log_) static_cast<void>(::ftruncate(log_.get(), static_cast<off_t>(log_size_)));
    Failed(s.error());
    slots_->Signal();
    return s;
  }
  log_size_ += pending_.size();
  if (compacting_) since_ += pending_;
  pending_.clear();
  if (!std::exchange(log_dirty_, true)) slots_->Signal();
  return {};
}

std::string CheckpointStore::Snapshot() {
  std::vector<std::pair<std::uint64_t, const std::string*>> order;
  for (const auto& [key, live] : live_) order.emplace_back(live.order, &key);
  std::sort(order.begin(), order.end());
  std::string text;
  AppendHeader(text, created_ns_);
  for (const auto& [number, key] : order) {
    Live& live = live_.find(*key)->second;
    {
      const std::lock_guard lock(live.slot->mu_);
      live.mark = live.slot->mark_;
    }
    AppendPutLine(text, live.index, live.mark, *key, live.detail);
  }
  return text;
}

Status CheckpointStore::Compact() {
  std::string text;
  {
    const std::lock_guard lock(mu_);
    pending_.clear();  // the snapshot has it
    text = Snapshot();
    since_.clear();
    compacting_ = true;
  }
  // The slow part, without the lock: nobody who reads or acknowledges waits for the disk.
  const std::string temporary = path_ + ".new";
  Fd fd(::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
  Status status;
  if (!fd)
    status = FailErrno("open " + temporary, errno);
  else if (Status s = WriteAll(fd.get(), text); !s)
    status = std::move(s);
  else if (::fsync(fd.get()) != 0)
    status = FailErrno("fsync " + temporary, errno);

  const std::lock_guard lock(mu_);
  compacting_ = false;
  if (status) status = WriteAll(fd.get(), since_);
  if (status && ::rename(temporary.c_str(), path_.c_str()) != 0)
    status = FailErrno("rename " + temporary, errno);
  if (!status) {
    rewrite_ = true;  // the lines that were pending are in no file yet
    static_cast<void>(::unlink(temporary.c_str()));
    return status;
  }
  log_ = std::move(fd);
  log_size_ = live_size_ = text.size() + since_.size();
  log_dirty_ = log_dirty_ || !since_.empty();
  rewrite_ = false;
  since_.clear();
  const Fd dir(
      ::open(path_.substr(0, path_.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir) static_cast<void>(::fsync(dir.get()));
  return {};
}

Status CheckpointStore::Sync() {
  Status status;
  if (slots_->failed.exchange(false, std::memory_order_acq_rel)) {
    const std::lock_guard lock(mu_);
    for (auto& [key, live] : live_) {
      const std::lock_guard slot_lock(live.slot->mu_);
      if (!live.slot->unsaved_) continue;
      live.slot->unsaved_ = !live.slot->Write();
      if (live.slot->unsaved_) {
        status = FailErrno("write positions", errno);
        slots_->failed.store(true, std::memory_order_release);
        slots_->dirty.store(true, std::memory_order_release);
      }
    }
  } else if (slots_->dirty.exchange(false, std::memory_order_acq_rel)) {
    if (::fdatasync(slots_->fd.get()) != 0) {
      status = FailErrno("fdatasync positions", errno);
      slots_->dirty.store(true, std::memory_order_release);
    }
  }
  bool compact = false, sync_log = false;
  {
    const std::lock_guard lock(mu_);
    compact = rewrite_ || (log_size_ > kCompactFrom && log_size_ > 4 * live_size_);
    if (!compact)
      if (Status s = WriteLocked(); !s) return s;
    sync_log = std::exchange(log_dirty_, false);
  }
  if (compact) {
    if (Status s = Compact(); !s) status = std::move(s);
  } else if (sync_log && ::fdatasync(log_.get()) != 0) {
    // Only this thread replaces log_, so it may be used without the lock.
    status = FailErrno("fdatasync " + path_, errno);
  }
  if (!status) Failed(status.error());
  return status;
}

void CheckpointStore::SyncLoop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(slots_->mu);
      if (!slots_->wake.wait(lock, stop, [this] { return slots_->work; })) return;
      // Gather what comes within the interval into one sync.
      slots_->wake.wait_for(lock, stop, sync_interval_, [] { return false; });
      slots_->work = false;
    }
    if (!stop.stop_requested() && !Sync()) slots_->Signal();
  }
}

Status CheckpointStore::Close() {
  if (syncer_.joinable()) {
    syncer_.request_stop();
    syncer_.join();
  }
  {
    const std::lock_guard lock(mu_);
    if (closed_ || !slots_ || !slots_->fd || path_.empty()) return {};
  }
  Status status = Sync();
  if (Status s = Compact(); !s) {
    Failed(s.error());
    status = std::move(s);
  }
  if (::fdatasync(slots_->fd.get()) != 0) status = FailErrno("fdatasync positions", errno);
  const std::lock_guard lock(mu_);
  closed_ = true;
  return status;
}

}  // namespace millrace::agent
