#pragma once
// Which file is which: finds log files, tells the generations of each log apart, finds a stream's
// content again after a rename, a copy, a truncation, a compression, while running and after.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/checkpoints/store.h"
#include "agent/core/metrics.h"
#include "agent/sources/file/config.h"
#include "agent/sources/file/glob.h"
#include "agent/sources/file/tail.h"
#include "agent/sources/file/watcher.h"

namespace millrace::agent {

/// One thread at a time.
class Catalog {
 public:
  struct Hooks {
    /// The tail may have something to read.
    std::function<void(Tail&)> on_pending;
    /// The tail is about to be forgotten.
    std::function<void(Tail&)> on_removed;
    /// Gives out a line that waits for its newline; no more of it will come.
    std::function<void(Tail&)> finish_line;
  };
  Catalog(const FileConfig& config, PathSet paths, CheckpointStore& store, Metrics& metrics,
          Hooks hooks);

  /// Makes tails of what the store remembers; before the first Rescan().
  void Load();
  /// Looks at everything again: folders, files.
  void Rescan();
  /// Looks again at what changed; cheap when nothing did.
  void Update();
  [[nodiscard]] bool update_due() const { return !dirty_.empty() || folders_dirty_; }
  [[nodiscard]] bool folders_due() const { return folders_dirty_; }
  /// The reader is in the middle of something: streams that end now are ended later, because that
  /// would give out a line.
  void SetDeferring(bool deferring) { deferring_ = deferring; }
  /// Changes that the kernel told of, to be handled by Update(). False = it lost some.
  [[nodiscard]] bool DrainWatcher();
  /// Looks at the folders that nobody watches for us.
  void Poll();
  /// Copies in progress that may turn out to be files of their own.
  void CheckHeld(const Family* only = nullptr);
  [[nodiscard]] bool has_held() const { return !held_.empty(); }

  /// The file under `tail` no longer holds the bytes before its position: it was truncated, or its
  /// inode has a new owner. The tail goes on in a copy if there is one.
  void ContentReplaced(Tail& tail);
  /// The file is not under its path any more (seen on opening).
  void PathChanged(Tail& tail);
  /// Nothing more will come from the tail's file.
  void Finished(Tail& tail);
  /// The tail's fingerprint, path or state changed: to the store.
  void Remember(Tail& tail);
  /// Lets the store have what changed; before events of a new tail are sent.
  void Flush();

  [[nodiscard]] Watcher& watcher() { return watcher_; }
  [[nodiscard]] const std::map<std::string, std::unique_ptr<Family>>& families() const {
    return families_;
  }
  [[nodiscard]] std::size_t tails() const { return tail_count_; }

 private:
  /// A file as a scan sees it.
  struct Seen {
    std::string path, name;
    FileStat stat;
    bool included = false;
    bool rotated = false;
  };
  struct Held {
    std::string folder, base;
    std::uint64_t size = 0;
    std::chrono::steady_clock::time_point since;  ///< Of the last growth.
    std::uint64_t check = 0;                      ///< The last CheckHeld() that met it.
  };
  /// What a scan decided about a file that is none of ours; saves reading it again.
  struct Judged {
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;
    std::uint64_t family_version = 0;
  };
  enum class Likeness { kDifferent, kCopySoFar, kCopy, kUnsure };

  /// Files of one log in one folder, as found by one scan.
  struct Group {
    std::string folder, base;
    std::vector<Seen> seen, unknown;
  };
  /// Bases to look at; null = all.
  using Bases = std::set<std::string>;

  void OnChange(const std::string& folder, std::string_view name, Watcher::Change change);
  void MarkDirty(const std::string& folder, std::string_view name);
  void CollectGroups(const std::string& folder, const Bases* bases, std::vector<Group>& groups);
  void FollowLink(const std::string& path);
  void Settle(std::vector<Group>& groups);
  void Scan(std::map<std::string, Bases> what);
  void LookForLost(Group& group);
  [[nodiscard]] bool Includes(const std::string& path) const;
  bool Recognise(Seen& seen, std::uint64_t scan);
  void Resolve(const std::string& folder, const std::string& base, Seen& seen);
  [[nodiscard]] bool CarriesOn(const Tail& tail, const Seen& seen, Content& content,
                               std::string_view head) const;
  [[nodiscard]] Likeness Compare(Tail& tail, const Seen& seen, Content& content,
                                 std::string_view head) const;
  [[nodiscard]] Likeness CompareContents(const Tail& tail, Content& own, const Seen& seen,
                                         Content& content, std::string_view head) const;
  [[nodiscard]] bool Intact(const Tail& tail, Content& own) const;
  [[nodiscard]] bool MissedGeneration(const std::string& log, const Seen& seen) const;
  Tail& NewTail(Family& family, const Seen& seen, std::string label, bool at_end,
                std::string_view head, std::unique_ptr<Content> content);
  void Insert(Family& family, std::unique_ptr<Tail> tail);
  void Adopt(Tail& tail, const Seen& seen, std::unique_ptr<Content> content);
  void LoseFile(Tail& tail);
  void Place(Tail& tail, const std::string& path);
  void Pending(Tail& tail);
  void KeepOpen(Tail& tail);
  void Prune(Family& family);
  void Remove(Tail& tail);
  Family& FamilyOf(const std::string& folder, const std::string& base);
  void Track(Tail& tail, AckTracker::Mark mark);
  void Unplace(Tail& tail);
  [[nodiscard]] Result<std::string> ReadHead(Content& content) const;

  const FileConfig& config_;
  PathSet paths_;
  CheckpointStore& store_;
  Hooks hooks_;
  Watcher watcher_;
  Counter rotations_, truncations_, generations_, copies_found_, lost_, overflows_, open_failures_;
  Gauge last_acknowledgement_;

  std::map<std::string, std::unique_ptr<Family>> families_;
  std::unordered_map<std::string, Tail*> by_path_;
  std::unordered_map<std::uint64_t, std::vector<Tail*>> by_inode_;
  std::unordered_map<std::string, std::string> links_;  ///< Real path -> the link that is included.
  std::unordered_map<std::uint64_t, Held> held_;        ///< By inode.
  std::unordered_map<std::uint64_t, Judged> judged_;    ///< By inode.
  std::map<std::string, Bases> dirty_;                  ///< Folder -> bases to look at.
  const std::map<std::string, Bases>* scanning_ = nullptr;
  bool names_moved_ = false, deferring_ = false;
  bool folders_dirty_ = false, first_scan_ = true;
  std::vector<std::string> folders_;
  std::size_t tail_count_ = 0;
  std::uint64_t held_checks_ = 0;
  std::string path_buffer_;
};

}  // namespace millrace::agent
