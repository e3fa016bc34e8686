// Scans and bookkeeping; what a file is, is decided in catalog_identity.cc.
#include "agent/sources/file/catalog.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include <dirent.h>
#include <sys/stat.h>

#include "agent/core/name.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

/// Streams without a file are remembered for as long as a compressed copy may still turn up.
constexpr std::size_t kKeepVanishedPerFamily = 16, kKeepVanished = 4096;
constexpr std::int64_t kKeepVanishedNs = std::int64_t{7} * 24 * 3600 * 1'000'000'000;

std::int64_t WallNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Watcher::Mode ModeOf(WatchMode mode) {
  switch (mode) {
    case WatchMode::kInotify:
      return Watcher::Mode::kInotify;
    case WatchMode::kPoll:
      return Watcher::Mode::kPoll;
    case WatchMode::kAuto:
      break;
  }
  return Watcher::Mode::kAuto;
}

std::string BaseOf(std::string_view name) {
  std::optional<std::string> base = RotatedFrom(name);
  return base ? std::move(*base) : std::string(name);
}

}  // namespace

Catalog::Catalog(const FileConfig& config, PathSet paths, CheckpointStore& store, Metrics& metrics,
                 Hooks hooks)
    : config_(config),
      paths_(std::move(paths)),
      store_(store),
      hooks_(std::move(hooks)),
      watcher_(ModeOf(config.watch)),
      rotations_(metrics.GetCounter("file_rotations_total",
                                    "Files that were seen to go on under another name.")),
      truncations_(metrics.GetCounter("file_truncations_total",
                                      "Files whose content was cut off or replaced.")),
      generations_(metrics.GetCounter("file_generations_total",
                                      "Streams begun: new files and new content of old ones.")),
      copies_found_(metrics.GetCounter(
          "file_copies_found_total",
          "Times a log's content was found again in a copy, renamed or compressed file.")),
      lost_(metrics.GetCounter(
          "file_lost_total",
          "Files that went while they had unread bytes, with no copy found beside them.")),
      overflows_(metrics.GetCounter("file_watch_overflows_total",
                                    "Times the kernel lost changes and everything was looked at "
                                    "again (fs.inotify.max_queued_events).")),
      open_failures_(metrics.Errors("open_failed")),
      last_acknowledgement_(metrics.GetGauge(
          "source_last_acknowledgement_timestamp_seconds",
          "When a sink last acknowledged events of this source, seconds since 1970.")) {}

void Catalog::Load() {
  for (CheckpointRecord& saved : store_.TakeLoaded()) {
    std::optional<TailRecord> record = DecodeTailRecord(saved.detail);
    if (!record) {
      log::Warn("A checkpoint cannot be understood and is left out", {{"key", saved.key}});
      continue;
    }
    if (!paths_.Includes(record->label) && !paths_.Includes(record->family)) continue;
    const auto slash = record->family.rfind('/');
    Family& family = FamilyOf(record->family.substr(0, slash), record->family.substr(slash + 1));
    auto tail = std::make_unique<Tail>();
    tail->key = std::move(saved.key);
    tail->record = std::move(*record);
    tail->position = saved.mark.position;
    tail->anchor = saved.mark.note;
    tail->modified_ns = WallNs();
    tail->family = &family;
    if (tail->record.label != family.path()) links_.try_emplace(family.path(), tail->record.label);
    Track(*tail, saved.mark);
    by_inode_[tail->record.file.inode].push_back(tail.get());
    family.tails.push_back(std::move(tail));
    ++tail_count_;
  }
  // Only a link that still leads there counts; the scan finds it again.
  links_.clear();
}

void Catalog::Track(Tail& tail, AckTracker::Mark mark) {
  tail.stream = HashStream(tail.key);
  tail.label = Block::Make(tail.record.label.size());
  std::copy(tail.record.label.begin(), tail.record.label.end(), tail.label.data.get());
  auto slot = store_.Put({tail.key, EncodeTailRecord(tail.record), mark});
  tail.tracker = std::make_shared<AckTracker>(
      mark, [slot = std::move(slot), last = last_acknowledgement_](const AckTracker::Mark& m) {
        slot->Save(m);
        last.Set(static_cast<double>(WallNs()) / 1e9);
      });
}

Family& Catalog::FamilyOf(const std::string& folder, const std::string& base) {
  std::unique_ptr<Family>& family = families_[folder + "/" + base];
  if (family == nullptr) {
    family = std::make_unique<Family>();
    family->folder = folder;
    family->base = base;
  }
  return *family;
}

bool Catalog::Includes(const std::string& path) const {
  return links_.count(path) != 0 || paths_.Includes(path);
}

bool Catalog::DrainWatcher() {
  const bool complete =
      watcher_.Drain([this](const std::string& folder, std::string_view name,
                            Watcher::Change change) { OnChange(folder, name, change); });
  if (!complete) overflows_.Add();
  return complete;
}

void Catalog::MarkDirty(const std::string& folder, std::string_view name) {
  dirty_[folder].insert(BaseOf(name));
}

void Catalog::OnChange(const std::string& folder, std::string_view name, Watcher::Change change) {
  if (change == Watcher::Change::kFolder) {
    folders_dirty_ = true;
    return;
  }
  path_buffer_ = folder == "/" ? "" : folder;
  path_buffer_ += '/';
  path_buffer_ += name;
  const auto it = by_path_.find(path_buffer_);
  if (change == Watcher::Change::kModified) {
    if (it != by_path_.end())
      Pending(*it->second);
    else if (Includes(path_buffer_))
      MarkDirty(folder, name);
  } else {
    // Any name that appears may be one of ours under a new name.
    if (scanning_ != nullptr) {
      const auto scanned = scanning_->find(folder);
      if (scanned != scanning_->end() && scanned->second.count(BaseOf(name)) != 0) {
        names_moved_ = true;  // it is looked at again right now
        return;
      }
    }
    MarkDirty(folder, name);
  }
}

void Catalog::Pending(Tail& tail) {
  if (tail.record.ignored) return;
  tail.pending = true;
  ++tail.wakes;
  hooks_.on_pending(tail);
}

void Catalog::Update() {
  if (std::exchange(folders_dirty_, false)) return Rescan();
  const std::map<std::string, Bases> what = std::exchange(dirty_, {});
  Scan(what);
}

void Catalog::Scan(std::map<std::string, Bases> what) {
  // A listing is no snapshot: a file that is renamed meanwhile may be missed, and its younger
  // siblings must not be read before it. So look again when names changed while we looked.
  constexpr int kAttempts = 10;
  std::vector<Group> groups;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    groups.clear();
    for (const auto& [folder, bases] : what) CollectGroups(folder, &bases, groups);
    scanning_ = &what;
    names_moved_ = false;
    const bool complete = DrainWatcher();
    scanning_ = nullptr;
    if (!complete) folders_dirty_ = true;
    if (!names_moved_) break;
    // Still moving: go on with what there is, and look again right after.
    if (attempt + 1 == kAttempts)
      for (const auto& [folder, bases] : what) dirty_[folder].insert(bases.begin(), bases.end());
  }
  Settle(groups);
}

void Catalog::Rescan() {
  dirty_.clear();
  folders_dirty_ = false;
  PathSet::Walk walk = paths_.FindFolders();
  for (const std::string& parent : walk.parents) static_cast<void>(watcher_.Add(parent));
  // Logs that a link leads to lie elsewhere.
  const auto folder_of = [](const std::string& path) { return path.substr(0, path.rfind('/')); };
  for (const auto& [real, link] : links_) walk.folders.push_back(folder_of(real));
  for (const auto& [path, family] : families_) walk.folders.push_back(family->folder);
  std::sort(walk.folders.begin(), walk.folders.end());
  walk.folders.erase(std::unique(walk.folders.begin(), walk.folders.end()), walk.folders.end());
  // Watched before it is looked at: what comes in between is seen twice, not never.
  for (const std::string& folder : walk.folders) static_cast<void>(watcher_.Add(folder));
  folders_ = std::move(walk.folders);
  std::vector<Group> groups;
  for (const std::string& folder : folders_) CollectGroups(folder, nullptr, groups);
  Settle(groups);
  first_scan_ = false;
  if (!dirty_.empty()) Update();  // folders that links lead to

  // Forget what is long gone.
  std::vector<Tail*> vanished;
  for (const auto& [path, family] : families_)
    for (const auto& tail : family->tails)
      if (!tail->has_file && tail->content == nullptr) vanished.push_back(tail.get());
  std::sort(vanished.begin(), vanished.end(),
            [](const Tail* a, const Tail* b) { return a->modified_ns > b->modified_ns; });
  const std::int64_t oldest = WallNs() - kKeepVanishedNs;
  std::set<Family*> touched;
  for (std::size_t i = 0; i < vanished.size(); ++i) {
    if (i < kKeepVanished && vanished[i]->modified_ns > oldest) continue;
    touched.insert(vanished[i]->family);
    Remove(*vanished[i]);
  }
  for (Family* family : touched)
    if (family->tails.empty() && !family->queued) families_.erase(family->path());
  std::erase_if(judged_,
                [&](const auto& entry) { return judged_.size() > 100'000 && entry.first != 0; });
  Flush();
}

void Catalog::Poll() {
  if (watcher_.polled().empty()) return;
  std::vector<Group> groups;
  for (const std::string& folder : watcher_.polled()) CollectGroups(folder, nullptr, groups);
  Settle(groups);
}

void Catalog::CollectGroups(const std::string& folder, const Bases* bases,
                            std::vector<Group>& groups) {
  std::map<std::string, Group> found;
  const std::string prefix = folder == "/" ? "/" : folder + "/";
  // Logs we know come under scrutiny even when none of their files is left.
  for (auto it = families_.lower_bound(prefix);
       it != families_.end() && it->first.starts_with(prefix); ++it) {
    Family& family = *it->second;
    if (family.folder == folder && (bases == nullptr || bases->count(family.base) != 0))
      found[family.base] = {family.folder, family.base, {}, {}};
  }
  DIR* dir = ::opendir(folder.c_str());
  if (dir != nullptr) {
    while (const dirent* entry = ::readdir(dir)) {
      if (entry->d_type == DT_DIR) continue;
      const std::string_view name = entry->d_name;
      std::optional<std::string> rotated = RotatedFrom(name);
      const std::string base = rotated ? *rotated : std::string(name);
      if (bases != nullptr && bases->count(base) == 0) continue;
      Seen seen;
      seen.path = prefix + std::string(name);
      seen.name = name;
      seen.included = Includes(seen.path);
      seen.rotated = rotated.has_value();
      const bool ours = seen.included || families_.count(prefix + base) != 0 ||
                        (seen.rotated && Includes(prefix + base));
      // A changed name may be one of ours under a name that tells nothing.
      if (!ours && bases == nullptr) continue;
      if (seen.included && entry->d_type == DT_LNK) {
        FollowLink(seen.path);
        continue;
      }
      const Result<FileStat> stat = StatPath(seen.path);
      if (!stat || !stat->regular) continue;
      seen.stat = *stat;
      Group& group = found[base];
      group.folder = folder == "/" ? "" : folder;
      group.base = base;
      group.seen.push_back(std::move(seen));
    }
    ::closedir(dir);
  } else if (errno == EACCES) {
    static log::Limit limit(std::chrono::seconds(60));
    if (limit.Pass())
      log::Warn("Cannot list a folder", {{"folder", folder}, {"error", "permission denied"}});
    open_failures_.Add();
    return;  // not seen is not gone
  }
  for (auto& [base, group] : found) groups.push_back(std::move(group));
}

void Catalog::FollowLink(const std::string& path) {
  std::array<char, PATH_MAX> real{};
  if (::realpath(path.c_str(), real.data()) == nullptr) return;
  const std::string target = real.data();
  if (links_.count(target) != 0) return;
  links_[target] = path;
  const auto slash = target.rfind('/');
  const std::string folder = slash == 0 ? "/" : target.substr(0, slash);
  static_cast<void>(watcher_.Add(folder));
  MarkDirty(folder, std::string_view(target).substr(slash + 1));
}

void Catalog::Settle(std::vector<Group>& groups) {
  static std::uint64_t scans = 0;
  ++scans;
  // First all files that are known, wherever they moved to; only then is a stream without a file
  // really without one.
  for (Group& group : groups) {
    for (Seen& seen : group.seen)
      if (!Recognise(seen, scans)) group.unknown.push_back(std::move(seen));
  }
  for (Group& group : groups) {
    const auto it = families_.find(group.folder + "/" + group.base);
    if (it == families_.end()) continue;
    for (const auto& tail : it->second->tails) {
      if (!tail->has_file || tail->scan == scans) continue;
      const Result<FileStat> now = StatPath(tail->record.path);
      if (!now || now->key != tail->record.file) LoseFile(*tail);
    }
  }
  for (Group& group : groups) LookForLost(group);
  Flush();
}

void Catalog::LookForLost(Group& group) {
  // Oldest first, the name that is written to last.
  std::sort(group.unknown.begin(), group.unknown.end(), [](const Seen& a, const Seen& b) {
    if (a.rotated != b.rotated) return a.rotated;
    if (a.stat.modified_ns != b.stat.modified_ns) return a.stat.modified_ns < b.stat.modified_ns;
    return RotationNumber(a.name).value_or(0) > RotationNumber(b.name).value_or(0);
  });
  for (Seen& seen : group.unknown) Resolve(group.folder, group.base, seen);
  const auto it = families_.find(group.folder + "/" + group.base);
  if (it == families_.end()) return;
  Family& family = *it->second;
  for (const auto& tail : family.tails) {
    if (tail->has_file || tail->content != nullptr || tail->record.finished) continue;
    if (deferring_) {
      MarkDirty(group.folder.empty() ? "/" : group.folder, group.base);
      continue;
    }
    if (tail->size > tail->read_position() && !tail->record.ignored) {
      lost_.Add();
      log::Warn(
          "A log file went before it was read, and no copy of it was found",
          {{"file", tail->record.path}, {"unread_bytes", tail->size - tail->read_position()}});
    } else {
      log::Debug("A log file is gone", {{"file", tail->record.path}});
    }
    Finished(*tail);
  }
  Prune(family);
  if (family.tails.empty() && !family.queued) families_.erase(it);
}

void Catalog::Prune(Family& family) {
  std::size_t vanished = 0;
  for (std::size_t i = family.tails.size(); i-- > 0;) {
    Tail& tail = *family.tails[i];
    if (tail.has_file || tail.content != nullptr) continue;
    if (++vanished > kKeepVanishedPerFamily) Remove(tail);
  }
}

void Catalog::Remove(Tail& tail) {
  hooks_.on_removed(tail);
  Unplace(tail);
  store_.Remove(tail.key);
  --tail_count_;
  Family& family = *tail.family;
  family.next = 0;
  std::erase_if(family.tails, [&](const auto& t) { return t.get() == &tail; });
}

void Catalog::CheckHeld(const Family* only) {
  std::map<std::string, Bases> what;
  for (const auto& [inode, held] : held_)
    if (only == nullptr || (held.folder == only->folder && held.base == only->base))
      what[held.folder].insert(held.base);
  if (what.empty()) return;
  ++held_checks_;
  Scan(what);
  // What was not met again has gone or was recognised.
  std::erase_if(held_, [&](const auto& entry) {
    const Held& held = entry.second;
    const auto it = what.find(held.folder);
    return held.check != held_checks_ && it != what.end() && it->second.count(held.base) != 0;
  });
}

void Catalog::Place(Tail& tail, const std::string& path) {
  if (const auto it = by_path_.find(tail.record.path); it != by_path_.end() && it->second == &tail)
    by_path_.erase(it);
  tail.record.path = path;
  by_path_[path] = &tail;
}

void Catalog::Unplace(Tail& tail) {
  if (const auto it = by_path_.find(tail.record.path); it != by_path_.end() && it->second == &tail)
    by_path_.erase(it);
  const auto inode = by_inode_.find(tail.record.file.inode);
  if (inode == by_inode_.end()) return;
  std::erase(inode->second, &tail);
  if (inode->second.empty()) by_inode_.erase(inode);
}

void Catalog::Remember(Tail& tail) {
  static_cast<void>(store_.Put({tail.key, EncodeTailRecord(tail.record), tail.tracker->mark()}));
}

void Catalog::Flush() { static_cast<void>(store_.Write()); }

void Catalog::Finished(Tail& tail) {
  hooks_.finish_line(tail);
  tail.pending = false;
  if (tail.content != nullptr) {
    if (tail.framer) {
      tail.position = tail.framer->line_start();
      tail.anchor = AnchorOf(tail.framer->before());
    }
    tail.content.reset();
  }
  if (tail.deleted) tail.has_file = tail.deleted = false;
  if (!tail.record.finished) {
    tail.record.finished = true;
    Remember(tail);
  }
  ++tail.family->version;
}

}  // namespace millrace::agent
