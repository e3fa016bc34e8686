// The loop: what changed, whose turn it is, when to look again.
#include "agent/sources/file/file_source.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/core/name.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTick(1000);
constexpr seconds kCloseIdleAfter(60), kLookAtOpenEvery(10);
/// A renamed file is taken for finished when nobody wrote to it for so long.
constexpr seconds kRotatedSilence(5);
constexpr std::size_t kMaxLagSeries = 100;
constexpr seconds kKeepZeroLag(60);

}  // namespace

FileSource::FileSource(FileConfig config, PathSet paths, FramingOptions framing,
                       const Context& context)
    : config_(std::move(config)),
      paths_(std::move(paths)),
      framing_(std::move(framing)),
      context_(context),
      file_key_(InternName(config_.file_key)),
      host_key_(InternName(config_.host_key)),
      offset_key_(InternName(config_.offset_key)),
      host_(Block::Make(context.host.size())) {
  std::copy(context.host.begin(), context.host.end(), host_.data.get());
  Metrics& m = *context_.metrics;
  read_errors_ = m.Errors("read_failed");
  abandoned_bytes_ = m.GetCounter("file_abandoned_bytes_total",
                                  "Unread bytes of deleted files that were given up because of "
                                  "max_deleted_bytes.");
  removed_ = m.GetCounter("file_removed_total", "Files removed because of remove_after_secs.");
  truncated_lines_ = m.GetCounter("file_long_lines_total", "Lines longer than max_line_bytes.",
                                  {{"outcome", "truncated"}});
  dropped_lines_ = m.Discarded("line_too_long", true);
  watched_ = m.GetGauge("file_streams", "Files and remembered former files.");
  open_files_ = m.GetGauge("file_open", "Open files.");
  folders_ = m.GetGauge("file_folders_watched", "Folders watched by inotify.");
  polled_ = m.GetGauge("file_folders_polled", "Folders that are polled.");
  lag_ = m.GetGauge("source_lag_bytes", "Bytes in files read lately that are not acknowledged.");
}

Status FileSource::Run(std::stop_token stop, Output& out) {
  out_ = &out;
  const Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return FailErrno("eventfd", errno);
  const std::stop_callback on_stop(stop,
                                   [&wake] { static_cast<void>(::eventfd_write(wake.get(), 1)); });

  MILLRACE_ASSIGN(store_, CheckpointStore::Open(
                              {context_.data_dir,
                               context_.metrics->GetCounter(
                                   "checkpoint_write_failures_total",
                                   "Writes of checkpoints that failed and are tried again.")}));
  catalog_ = std::make_unique<Catalog>(
      config_, paths_, *store_, *context_.metrics,
      Catalog::Hooks{[this](Tail& t) { Queue(t); }, [this](Tail& t) { Forget(t); },
                     [this](Tail& t) { FinishLine(t); }});
  guard_ = std::make_unique<StallGuard>(kTick, [this] { WhileStalled(); });
  const auto lock = guard_->Lock();
  catalog_->Load();
  catalog_->Rescan();
  next_rescan_ = Clock::now() + config_.rescan_interval;

  while (!stop.stop_requested() && !stopped_) {
    const bool complete = catalog_->DrainWatcher();
    auto now = Clock::now();
    if (!complete || now >= next_rescan_) {
      catalog_->Rescan();
      now = Clock::now();
      next_rescan_ = now + config_.rescan_interval;
    } else if (catalog_->update_due() && now >= next_folders_) {
      const bool folders = catalog_->folders_due();
      catalog_->Update();
      if (folders) next_folders_ = now + milliseconds(config_.glob_minimum_cooldown_ms);
    }
    if (now >= next_tick_) Tick(now);
    if (!ready_.empty()) {
      Turn();
      continue;
    }
    std::array<pollfd, 2> fds = {pollfd{wake.get(), POLLIN, 0},
                                 pollfd{catalog_->watcher().fd(), POLLIN, 0}};
    static_cast<void>(::poll(fds.data(), catalog_->watcher().fd() >= 0 ? 2 : 1, PollTimeout(now)));
  }
  return {};
}

void FileSource::Close() {
  if (store_) static_cast<void>(store_->Close());
}

void FileSource::WhileStalled() {
  // Logs go on being rotated and deleted: hold on to what is there to be read later.
  if (!sending_lines_) return;
  catalog_->SetDeferring(true);
  if (!catalog_->DrainWatcher()) next_rescan_ = {};
  if (catalog_->update_due() && !catalog_->folders_due()) catalog_->Update();
  catalog_->SetDeferring(false);
}

int FileSource::PollTimeout(Clock::time_point now) const {
  auto next = next_rescan_;
  if (!active_.empty() || !waiting_.empty() || catalog_->has_held())
    next = std::min(next, next_tick_);
  if (!open_.empty()) next = std::min(next, now + kLookAtOpenEvery);
  if (!catalog_->watcher().polled().empty()) next = std::min(next, next_tick_);
  if (catalog_->update_due()) next = std::min(next, next_folders_);
  if (config_.remove_after.count() >= 0) next = std::min(next, next_removal_);
  const auto wait = std::chrono::ceil<milliseconds>(next - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 600'000));
}

void FileSource::Queue(Tail& tail) {
  if (tail.family->queued) return;
  tail.family->queued = true;
  if (config_.oldest_first) {
    const auto modified = [](const Family* f) {
      std::int64_t oldest = INT64_MAX;
      for (const auto& t : f->tails)
        if (t->pending) oldest = std::min(oldest, t->modified_ns);
      return oldest;
    };
    ready_.insert(std::upper_bound(
                      ready_.begin(), ready_.end(), tail.family,
                      [&](const Family* a, const Family* b) { return modified(a) < modified(b); }),
                  tail.family);
    return;
  }
  ready_.push_back(tail.family);
}

void FileSource::Forget(Tail& tail) {
  waiting_.erase(&tail);
  open_.erase(&tail);
  active_.erase(&tail);
}

Tail* FileSource::Choose(Family& family) {
  // What was there before the younger file came goes first; then everybody in turn, so that a file
  // that grows faster than it is read stops nobody.
  for (const auto& tail : family.tails)
    if (tail->pending && tail->read_position() < tail->target) return tail.get();
  for (std::size_t i = 0; i < family.tails.size(); ++i) {
    const std::size_t k = (family.next + i) % family.tails.size();
    if (!family.tails[k]->pending) continue;
    family.next = k + 1;
    return family.tails[k].get();
  }
  return nullptr;
}

void FileSource::Turn() {
  Family& family = *ready_.front();
  ready_.pop_front();
  // A copy beside the log may by now be all that is left of bytes that come before the log's.
  if (catalog_->has_held()) catalog_->CheckHeld(&family);
  Tail* tail = Choose(family);
  if (tail == nullptr) {
    family.queued = false;
    return;
  }
  const Step step = Read(*tail);
  // `tail` may be gone, the family not: it is queued still.
  const bool more = step == Step::kMore || std::any_of(family.tails.begin(), family.tails.end(),
                                                       [](const auto& t) { return t->pending; });
  family.queued = more;
  if (!more) return;
  if (config_.oldest_first)
    ready_.push_front(&family);
  else
    ready_.push_back(&family);
}

void FileSource::Tick(Clock::time_point now) {
  next_tick_ = now + kTick;
  if (!catalog_->watcher().polled().empty()) {
    next_tick_ = now + milliseconds(config_.glob_minimum_cooldown_ms);
    catalog_->Poll();
  }
  if (catalog_->has_held()) catalog_->CheckHeld();
  SweepWaiting(now);
  SweepOpen(now);
  LimitDeleted();
  RemoveOld(now);
  UpdateLag(now);
  watched_.Set(static_cast<double>(catalog_->tails()));
  folders_.Set(static_cast<double>(catalog_->watcher().watched()));
  polled_.Set(static_cast<double>(catalog_->watcher().polled().size()));
}

void FileSource::SweepWaiting(Clock::time_point now) {
  const std::set<Tail*> waiting = waiting_;
  for (Tail* tail : waiting) {
    if (waiting_.count(tail) == 0 || tail->pending) continue;
    const auto silent = now - tail->last_data;
    if (tail->content == nullptr) {
      waiting_.erase(tail);
    } else if (tail->deleted) {
      const Result<FileStat> stat = StatFd(tail->content->fd());
      if (stat && stat->size > tail->framer->position()) {
        tail->pending = true;
        Queue(*tail);
      } else if (silent >= config_.rotate_wait) {
        waiting_.erase(tail);
        open_.erase(tail);
        catalog_->Finished(*tail);
      }
    } else if (tail->rotated()) {
      if (silent < std::min<Clock::duration>(config_.rotate_wait, kRotatedSilence)) continue;
      waiting_.erase(tail);
      open_.erase(tail);
      catalog_->Finished(*tail);
    } else if (config_.partial_line_timeout.count() > 0 && silent >= config_.partial_line_timeout) {
      waiting_.erase(tail);
      FinishLine(*tail);
    }
  }
}

void FileSource::SweepOpen(Clock::time_point now) {
  open_files_.Set(static_cast<double>(open_.size()));
  std::vector<Tail*> idle;
  for (Tail* tail : open_)
    if (!tail->pending && !tail->deleted && waiting_.count(tail) == 0) idle.push_back(tail);
  std::sort(idle.begin(), idle.end(),
            [](const Tail* a, const Tail* b) { return a->last_data < b->last_data; });
  std::size_t open = open_.size();
  for (Tail* tail : idle) {
    if (open <= config_.max_open_files && now - tail->last_data < kCloseIdleAfter) break;
    CloseFile(*tail);
    --open;
  }
}

void FileSource::LimitDeleted() {
  if (config_.max_deleted_bytes.value == 0) return;
  std::uint64_t held = 0;
  std::vector<Tail*> deleted;
  for (Tail* tail : open_) {
    if (!tail->deleted) continue;
    deleted.push_back(tail);
    held += tail->size;
  }
  // Held is the disk space: the whole file, however much of it was read.
  std::sort(deleted.begin(), deleted.end(),
            [](const Tail* a, const Tail* b) { return a->modified_ns < b->modified_ns; });
  for (Tail* tail : deleted) {
    if (held <= config_.max_deleted_bytes.value) return;
    held -= tail->size;
    const std::uint64_t unread = tail->size - std::min(tail->size, tail->read_position());
    abandoned_bytes_.Add(static_cast<double>(unread));
    log::Warn("A deleted file is given up to free its disk space (max_deleted_bytes)",
              {{"file", tail->record.label}, {"unread_bytes", unread}});
    waiting_.erase(tail);
    open_.erase(tail);
    catalog_->Finished(*tail);
  }
}

void FileSource::RemoveOld(Clock::time_point now) {
  if (config_.remove_after.count() < 0 || now < next_removal_) return;
  next_removal_ = now + std::clamp<milliseconds>(config_.remove_after, kTick, seconds(10));
  const auto wall = std::chrono::duration_cast<std::chrono::nanoseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  const auto limit =
      std::chrono::duration_cast<std::chrono::nanoseconds>(config_.remove_after).count();
  for (const auto& [path, family] : catalog_->families()) {
    for (const auto& tail : family->tails) {
      if (!tail->has_file || tail->deleted || tail->pending || tail->record.ignored) continue;
      if (wall - tail->modified_ns < limit) continue;
      const Result<FileStat> stat = StatPath(tail->record.path);
      if (!stat || stat->key != tail->record.file || wall - stat->modified_ns < limit) continue;
      // Delivered to the last byte, not just read.
      const bool done = tail->copied ? tail->record.finished && tail->tracker->in_flight() == 0 &&
                                           tail->tracker->position() == tail->read_position()
                                     : tail->tracker->position() == stat->size;
      if (!done || ::unlink(tail->record.path.c_str()) != 0) continue;
      removed_.Add();
      log::Info("Removed a file that was delivered (remove_after_secs)",
                {{"file", tail->record.path}});
    }
  }
}

void FileSource::UpdateLag(Clock::time_point now) {
  double total = 0;
  for (auto it = active_.begin(); it != active_.end();) {
    Tail& tail = **it;
    const std::uint64_t acknowledged = tail.tracker->position();
    const std::uint64_t end = tail.packed() || tail.copied ? tail.read_position() : tail.size;
    const auto lag = static_cast<double>(end - std::min(end, acknowledged));
    total += lag;
    const std::string& label = tail.record.label;
    auto series = lags_.find(label);
    if (series == lags_.end() && lags_.size() < kMaxLagSeries)
      series = lags_
                   .emplace(label, Lag{context_.metrics->GetGauge(
                                           "file_lag_bytes",
                                           "Bytes of the file that no sink has acknowledged; "
                                           "the first 100 files that were read lately.",
                                           {{"file", label}}),
                                       now, false})
                   .first;
    if (series != lags_.end()) {
      series->second.gauge.Set(lag);
      series->second.zero = false;
    }
    const bool done =
        !tail.pending && tail.tracker->in_flight() == 0 && now - tail.last_data > seconds(2);
    if (done && series != lags_.end()) {
      series->second.zero = true;
      series->second.zero_since = now;
    }
    it = done ? active_.erase(it) : std::next(it);
  }
  lag_.Set(total);
  for (auto it = lags_.begin(); it != lags_.end();) {
    if (it->second.zero && now - it->second.zero_since > kKeepZeroLag) {
      context_.metrics->RemoveGauge("file_lag_bytes", {{"file", it->first}});
      it = lags_.erase(it);
    } else {
      ++it;
    }
  }
}

}  // namespace millrace::agent
