// What a file is: one we know under another name, the copy of one, or a new one.
#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "agent/sources/file/catalog.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

/// A shorter fingerprint proves nothing about a file with another inode.
constexpr std::uint32_t kTellingBytes = 64;
/// A file that begins like a log beside it is taken for a copy in the making as long as it grows,
/// and this long after.
constexpr std::chrono::seconds kHoldFor(3);

std::int64_t WallNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool SameFile(const FileKey& a, const FileKey& b) {
  return a.device == b.device && a.inode == b.inode &&
         (a.birth_ns == b.birth_ns || a.birth_ns == 0 || b.birth_ns == 0);
}

Result<std::unique_ptr<Content>> OpenContent(const std::string& path) {
  // O_NONBLOCK: a FIFO put in the place of a log must not hang the reader.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return FailErrno("open " + path, errno);
  return Content::Open(std::move(fd));
}

/// The file that a scan saw, if it still has that name.
Result<std::unique_ptr<Content>> OpenSeen(const std::string& path, const FileKey& key,
                                          FileStat* stat = nullptr) {
  MILLRACE_ASSIGN(std::unique_ptr<Content> content, OpenContent(path));
  MILLRACE_ASSIGN(const FileStat now, StatFd(content->fd()));
  if (now.key != key) return Fail(ErrorCode::kNotFound, "renamed meanwhile");
  if (stat != nullptr) *stat = now;
  return content;
}

bool SameBytes(Content& a, Content& b, std::uint64_t position, std::size_t n) {
  std::string x(n, '\0'), y(n, '\0');
  const auto got_x = ReadFully(a, x, position);
  const auto got_y = ReadFully(b, y, position);
  return got_x && got_y && *got_x == n && *got_y == n && x == y;
}

}  // namespace

Result<std::string> Catalog::ReadHead(Content& content) const {
  std::string head(config_.fingerprint.bytes, '\0');
  MILLRACE_ASSIGN(const std::size_t n, ReadFully(content, head, 0));
  head.resize(n);
  return head;
}

bool Catalog::Recognise(Seen& seen, std::uint64_t scan) {
  const auto it = by_inode_.find(seen.stat.key.inode);
  if (it == by_inode_.end()) return false;
  for (Tail* tail : it->second) {
    if (!SameFile(tail->record.file, seen.stat.key)) continue;
    if (!tail->has_file && tail->content == nullptr) continue;
    tail->scan = scan;
    tail->has_file = true;
    tail->deleted = false;
    const bool changed = seen.stat.size != tail->size || seen.stat.modified_ns != tail->modified_ns;
    if (tail->record.path != seen.path) {
      // Two names of one file (hard links) must not take turns.
      const Result<FileStat> before = StatPath(tail->record.path);
      if (before && SameFile(before->key, tail->record.file)) return true;
      rotations_.Add();
      ++tail->family->version;
      Place(*tail, seen.path);
      Remember(*tail);
      Pending(*tail);
      KeepOpen(*tail);
    } else if (changed) {
      Pending(*tail);
    }
    tail->size = seen.stat.size;
    tail->modified_ns = seen.stat.modified_ns;
    return true;
  }
  // The inode of a stream that has no file now: the same file after a restart, or another one that
  // got its inode. The newest stream first: the older ones are what was truncated away.
  const std::vector<Tail*> candidates(it->second.rbegin(), it->second.rend());
  for (Tail* tail : candidates) {
    if (!SameFile(tail->record.file, seen.stat.key)) continue;
    auto content = OpenSeen(seen.path, seen.stat.key, &seen.stat);
    if (!content) return false;
    const Result<std::string> head = ReadHead(**content);
    if (!head || !CarriesOn(*tail, seen, **content, *head)) continue;
    Adopt(*tail, seen, std::move(*content));
    tail->scan = scan;
    return true;
  }
  return false;
}

bool Catalog::CarriesOn(const Tail& tail, const Seen& seen, Content& content,
                        std::string_view head) const {
  const Fingerprint& fingerprint = tail.record.fingerprint;
  const bool plain = content.kind() == ContentKind::kPlain;
  const std::uint64_t position = tail.read_position();
  if (!SameFile(tail.record.file, seen.stat.key)) {
    if (fingerprint.length == 0) return false;
    if (fingerprint.length < kTellingBytes && !(plain && seen.stat.size == position)) return false;
  }
  if (!fingerprint.Matches(head)) return false;
  if (!plain) {
    const std::optional<std::uint64_t> total = content.TotalSize();
    if (total && *total <= position) return *total == position;
  }
  if (plain && seen.stat.size < position) {
    if (SameFile(tail.record.file, seen.stat.key)) return false;  // truncated
    // A copy made while the log went on: it ends before what we read of the log.
    return std::any_of(tail.trail.rbegin(), tail.trail.rend(), [&](const AckTracker::Mark& m) {
      if (m.position > seen.stat.size || m.position == 0) return false;
      const auto before = ReadBefore(content, m.position, kAnchorBytes);
      return before && AnchorOf(*before) == m.note;
    });
  }
  const Result<std::string> before = ReadBefore(content, position, kAnchorBytes);
  return before && AnchorOf(*before) == tail.read_anchor();
}

Catalog::Likeness Catalog::Compare(Tail& tail, const Seen& seen, Content& content,
                                   std::string_view head) const {
  std::unique_ptr<Content> opened;
  Content* own = tail.content.get();
  if (own == nullptr) {
    auto result = OpenContent(tail.record.path);
    if (!result) return Likeness::kDifferent;
    const Result<FileStat> stat = StatFd((*result)->fd());
    if (!stat || !SameFile(stat->key, tail.record.file)) return Likeness::kDifferent;
    opened = std::move(*result);
    own = opened.get();
  }
  if (own->kind() != ContentKind::kPlain) return Likeness::kDifferent;
  const Likeness likeness = CompareContents(tail, *own, seen, content, head);
  // Asked last: what was compared may have been truncated in the middle of it. Once the reader has
  // noticed, everything beside is looked at again.
  if (Intact(tail, *own)) return likeness;
  tail.suspect = true;
  return Likeness::kUnsure;
}

bool Catalog::Intact(const Tail& tail, Content& own) const {
  const Result<FileStat> stat = StatFd(own.fd());
  const Result<std::string> head = ReadHead(own);
  const Result<std::string> before = ReadBefore(own, tail.read_position(), kAnchorBytes);
  return stat && head && before && stat->size >= tail.read_position() &&
         tail.record.fingerprint.Matches(*head) && AnchorOf(*before) == tail.read_anchor();
}

Catalog::Likeness Catalog::CompareContents(const Tail& tail, Content& own, const Seen& seen,
                                           Content& content, std::string_view head) const {
  const Result<FileStat> stat = StatFd(own.fd());
  const Result<std::string> own_head = ReadHead(own);
  if (!stat || !own_head) return Likeness::kDifferent;
  const std::size_t common = std::min(head.size(), own_head->size());
  if (head.substr(0, common) != std::string_view(*own_head).substr(0, common))
    return Likeness::kDifferent;
  if (content.kind() == ContentKind::kPlain) {
    if (seen.stat.size > stat->size) return Likeness::kDifferent;
    const std::size_t n = std::min<std::uint64_t>(kAnchorBytes, seen.stat.size);
    if (n > 0 && !SameBytes(content, own, seen.stat.size - n, n)) return Likeness::kDifferent;
    return seen.stat.size == stat->size ? Likeness::kCopy : Likeness::kCopySoFar;
  }
  const Result<std::string> before = ReadBefore(content, tail.read_position(), kAnchorBytes);
  if (before)
    return AnchorOf(*before) == tail.read_anchor() ? Likeness::kCopy : Likeness::kDifferent;
  return before.error().code == ErrorCode::kNotFound ? Likeness::kCopySoFar : Likeness::kDifferent;
}

bool Catalog::MissedGeneration(const std::string& log, const Seen& seen) const {
  // It was the log for a time while nobody looked, if it came into being after we first did.
  // (File systems stamp with a clock that is some milliseconds behind; what lay there at the first
  // scan is known by its inode.)
  const std::int64_t since = store_.created_ns() - 1'000'000'000;
  const std::int64_t born =
      seen.stat.key.birth_ns != 0 ? seen.stat.key.birth_ns : seen.stat.modified_ns;
  return seen.rotated && seen.stat.size > 0 && Includes(log) && born > since &&
         seen.stat.modified_ns > since;
}

void Catalog::Resolve(const std::string& folder, const std::string& base, Seen& seen) {
  const std::string log = folder + "/" + base;
  const auto found = families_.find(log);
  Family* family = found == families_.end() ? nullptr : found->second.get();
  if (!seen.included && family == nullptr && !Includes(log)) return;
  const std::uint64_t inode = seen.stat.key.inode;
  if (const auto it = judged_.find(inode); it != judged_.end()) {
    const Judged& j = it->second;
    if (family != nullptr && j.size == seen.stat.size && j.modified_ns == seen.stat.modified_ns &&
        j.family_version == family->version)
      return;
    judged_.erase(it);
  }
  const auto judge = [&] {
    judged_[inode] = {seen.stat.size, seen.stat.modified_ns,
                      family != nullptr ? family->version : 0};
  };
  auto content = OpenSeen(seen.path, seen.stat.key, &seen.stat);
  Result<std::string> head = content ? ReadHead(**content) : Result<std::string>();
  if (!content || !head) {
    const Error& error = content ? head.error() : content.error();
    if (error.code == ErrorCode::kNotFound) return MarkDirty(folder.empty() ? "/" : folder, base);
    open_failures_.Add();
    static log::Limit limit;
    if (limit.Pass())
      log::Warn("Cannot read a log file",
                {{"file", seen.path}, {"error", error}, {"suppressed", limit.suppressed()}});
    return;
  }
  const bool packed = (*content)->kind() != ContentKind::kPlain;
  // Opened when it was empty, compressed by now: look again.
  if (!packed && SniffContent(*head) != ContentKind::kPlain)
    return MarkDirty(folder.empty() ? "/" : folder, base);

  if (family != nullptr) {
    for (const auto& tail : family->tails) {
      if (tail->has_file || tail->content != nullptr) continue;
      if (!CarriesOn(*tail, seen, **content, *head)) continue;
      copies_found_.Add();
      held_.erase(inode);
      return Adopt(*tail, seen, std::move(*content));
    }
    if (seen.rotated || packed) {
      const Tail* alike = nullptr;
      for (const auto& tail : family->tails) {
        if (!tail->has_file && tail->content == nullptr) continue;
        const Likeness likeness = Compare(*tail, seen, **content, *head);
        if (likeness == Likeness::kUnsure) return Pending(*tail);
        if (likeness != Likeness::kDifferent) alike = tail.get();
        if (alike != nullptr) break;
      }
      if (alike != nullptr) {
        const auto now = std::chrono::steady_clock::now();
        auto [it, fresh] = held_.try_emplace(inode, Held{folder, base, seen.stat.size, now, 0});
        if (it->second.size != seen.stat.size) it->second = {folder, base, seen.stat.size, now, 0};
        it->second.check = held_checks_;
        if (fresh || now - it->second.since < kHoldFor) return;
        if (packed || !seen.included) {
          // A copy that stays: nothing to read, and a truncation of the original will be noticed,
          // unless none of it was read so far.
          if (alike->read_position() == 0) return;
          held_.erase(inode);
          return judge();
        }
      }
    }
  }
  held_.erase(inode);

  const bool first = first_scan_ && store_.first_start();
  if (!seen.included) {
    if (first) {
      // There before us, and nobody named it: known from now on, so that it is not taken for a
      // generation that we missed when it is renamed or compressed.
      NewTail(FamilyOf(folder, base), seen, log, true, *head, nullptr).record.ignored = true;
      Remember(*FamilyOf(folder, base).tails.back());
    } else if (MissedGeneration(log, seen)) {
      log::Info("Found a generation of a log that was rotated unseen",
                {{"log", log}, {"file", seen.path}});
      const auto link = links_.find(log);
      NewTail(FamilyOf(folder, base), seen, link != links_.end() ? link->second : log, false, *head,
              std::move(*content));
    } else {
      judge();
    }
    return;
  }
  if (config_.ignore_older.count() > 0 &&
      WallNs() - seen.stat.modified_ns >
          std::chrono::duration_cast<std::chrono::nanoseconds>(config_.ignore_older).count())
    return judge();
  const auto link = links_.find(seen.path);
  NewTail(FamilyOf(folder, base), seen, link != links_.end() ? link->second : seen.path,
          first && config_.read_from == ReadFrom::kEnd, *head, std::move(*content));
}

Tail& Catalog::NewTail(Family& family, const Seen& seen, std::string label, bool at_end,
                       std::string_view head, std::unique_ptr<Content> content) {
  auto owned = std::make_unique<Tail>();
  Tail& tail = *owned;
  generations_.Add();
  // Never the same key twice: the inode may come again, even with its birth time.
  static std::int64_t last = 0;
  last = std::max(last + 1, WallNs());
  const FileKey& key = seen.stat.key;
  tail.key = "file:" + std::to_string(key.device) + ':' + std::to_string(key.inode) + ':' +
             std::to_string(key.birth_ns) + ':' + std::to_string(last);
  tail.family = &family;
  tail.record.file = key;
  tail.record.path = seen.path;
  tail.record.label = std::move(label);
  tail.record.family = family.path();
  tail.record.fingerprint = Fingerprint::Of(head);
  tail.remembered = tail.record.fingerprint.length;
  tail.size = seen.stat.size;
  tail.modified_ns = seen.stat.modified_ns;
  tail.has_file = true;
  if (at_end) {
    tail.position = seen.stat.size;
    if (content == nullptr) {
      auto opened = OpenContent(seen.path);
      if (opened) content = std::move(*opened);
    }
    if (content != nullptr) {
      const auto before = ReadBefore(*content, tail.position, kAnchorBytes);
      if (before) tail.anchor = AnchorOf(*before);
    }
    content.reset();
  }
  Track(tail, {tail.position, tail.anchor});
  tail.content = std::move(content);
  by_inode_[key.inode].push_back(&tail);
  Place(tail, seen.path);
  Insert(family, std::move(owned));
  if (tail.size > tail.position) Pending(tail);
  KeepOpen(tail);
  return tail;
}

void Catalog::KeepOpen(Tail& tail) {
  // Held open from here on, it can be read even when it is deleted before its turn comes.
  const bool wanted =
      tail.pending && tail.size > tail.read_position() && Content::live() <= config_.max_open_files;
  if (!wanted) {
    if (!tail.framer) tail.content.reset();
    return;
  }
  if (tail.content != nullptr) return;
  auto content = OpenSeen(tail.record.path, tail.record.file);
  if (content) tail.content = std::move(*content);
}

void Catalog::Insert(Family& family, std::unique_ptr<Tail> tail) {
  ++tail_count_;
  ++family.version;
  family.next = 0;
  // Everything that lies in the older files now comes before anything of younger ones.
  for (const auto& other : family.tails) {
    const Result<FileStat> stat = other->content != nullptr ? StatFd(other->content->fd())
                                  : other->has_file         ? StatPath(other->record.path)
                                                            : Result<FileStat>(FileStat{});
    if (stat) other->target = std::max(other->target, stat->size);
    if (stat && stat->size > other->read_position()) Pending(*other);
  }
  tail->target = tail->size;
  auto place = family.tails.end();
  if (tail->record.path != family.path()) {
    // A generation found late: before the first that is younger.
    place = std::find_if(family.tails.begin(), family.tails.end(), [&](const auto& other) {
      return other->has_file &&
             (other->record.path == family.path() || other->modified_ns > tail->modified_ns);
    });
  }
  family.tails.insert(place, std::move(tail));
}

void Catalog::Adopt(Tail& tail, const Seen& seen, std::unique_ptr<Content> content) {
  const bool same = SameFile(tail.record.file, seen.stat.key);
  if (!same) {
    Unplace(tail);
    tail.record.file = seen.stat.key;
    by_inode_[seen.stat.key.inode].push_back(&tail);
  }
  const bool moved = tail.record.path != seen.path;
  Place(tail, seen.path);
  tail.has_file = true;
  tail.deleted = false;
  tail.copied = !same || content->kind() != ContentKind::kPlain;
  tail.size = seen.stat.size;
  tail.modified_ns = seen.stat.modified_ns;
  const bool packed = content->kind() != ContentKind::kPlain;
  const std::optional<std::uint64_t> total =
      packed ? content->TotalSize() : std::optional<std::uint64_t>(seen.stat.size);
  tail.target = total.value_or(UINT64_MAX);
  ++tail.family->version;
  if (!tail.record.ignored && (!total || *total > tail.read_position())) {
    tail.content = std::move(content);
    tail.record.finished = false;
    Pending(tail);
  }
  if (!same || moved) Remember(tail);
}

void Catalog::LoseFile(Tail& tail) {
  if (const auto it = by_path_.find(tail.record.path); it != by_path_.end() && it->second == &tail)
    by_path_.erase(it);
  ++tail.family->version;
  if (tail.content != nullptr) {
    // Without a name, or moved out of sight: what we hold open is still read to its end.
    tail.deleted = true;
    tail.has_file = true;
    Pending(tail);
    return;
  }
  tail.has_file = false;
  tail.pending = false;
}

void Catalog::ContentReplaced(Tail& tail) {
  truncations_.Add();
  log::Info("A log file was truncated or replaced",
            {{"file", tail.record.path}, {"read_up_to", tail.read_position()}});
  Family& family = *tail.family;
  const std::string path = tail.record.path;
  tail.content.reset();
  tail.has_file = false;
  tail.pending = false;
  Unplace(tail);
  by_inode_[tail.record.file.inode].push_back(
      &tail);  // so that a restart-like match stays possible
  ++family.version;
  // The copy, if there is one, is complete by now: truncation comes after it.
  Scan({{family.folder.empty() ? "/" : family.folder, {family.base}}});
}

void Catalog::PathChanged(Tail& tail) {
  const Family& family = *tail.family;
  tail.pending = false;
  Scan({{family.folder.empty() ? "/" : family.folder, {family.base}}});
}

}  // namespace millrace::agent
