#pragma once
// Where sources remember how far they got: small, crash-safe, cheap to move forward.
//
// Two files in the component's folder:
//   checkpoints  what streams there are: a text log, one line a change, each line with its own
//                checksum. Rewritten as a whole (write, fsync, rename) when it has grown.
//   positions    how far each one is delivered: a slot of 32 bytes per stream, written in place by
//                whichever thread hears of an acknowledgement, at once. So a SIGKILL repeats what
//                was not acknowledged and nothing else.
// A thread makes both durable about once a second while there is something to do (against power
// loss), and does nothing while there is not. A full disk stops nothing: what could not be written
// is kept in memory and tried again every second.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "agent/checkpoints/ack_tracker.h"
#include "agent/core/metrics.h"
#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::agent {

/// One remembered stream.
struct CheckpointRecord {
  std::string key;     ///< Identity of the stream; never used again for another one.
  std::string detail;  ///< What the source wants back; any bytes.
  AckTracker::Mark mark;
};

/// A line of the log as parsed.
struct CheckpointLine {
  enum class Kind : std::uint8_t { kPut, kRemove };
  Kind kind = Kind::kPut;
  std::uint32_t slot = 0;
  CheckpointRecord record;
};
/// The log without its damaged lines.
struct CheckpointLog {
  std::int64_t created_ns = 0;
  std::vector<CheckpointLine> lines;
  std::size_t damaged = 0;  ///< Lines left out; a torn last line is one.
};
/// kParse: no log at all; kInvalidArgument: of a newer version.
[[nodiscard]] Result<CheckpointLog> ParseCheckpointLog(std::string_view text);

class CheckpointStore;

/// The position of one stream. Save() may be called on any thread, one call at a time (an
/// AckTracker's OnAdvance is). Outlives the store if it has to, without effect then.
class CheckpointSlot {
 public:
  void Save(const AckTracker::Mark& mark);

 private:
  friend class CheckpointStore;
  struct File;
  CheckpointSlot(std::shared_ptr<File> file, std::uint64_t tag, std::uint32_t index,
                 const AckTracker::Mark& mark)
      : file_(std::move(file)), tag_(tag), index_(index), mark_(mark) {}
  bool Write();  ///< With mu_ held.

  std::shared_ptr<File> file_;
  const std::uint64_t tag_;
  const std::uint32_t index_;
  std::mutex mu_;
  AckTracker::Mark mark_;
  bool unsaved_ = false;
  bool removed_ = false;  ///< The index may belong to another stream now.
};

/// Thread safe, but a key is put and removed by one thread.
class CheckpointStore {
 public:
  struct Options {
    std::string folder;      ///< Made if absent.
    Counter write_failures;  ///< Counts writes and syncs that failed.
    std::chrono::milliseconds sync_interval{1000};
  };
  /// kResourceExhausted: another process has the folder. kInvalidArgument: written by a newer
  /// version. Damage is logged, counted and survived: good lines are kept.
  [[nodiscard]] static Result<std::unique_ptr<CheckpointStore>> Open(const Options& options);
  ~CheckpointStore();
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  /// There was no log: nothing was ever read on behalf of this store.
  [[nodiscard]] bool first_start() const { return first_start_; }
  /// When the store was made, nanoseconds since 1970.
  [[nodiscard]] std::int64_t created_ns() const { return created_ns_; }
  [[nodiscard]] std::size_t damaged() const { return damaged_; }
  /// What was remembered, in the order first put; call once.
  [[nodiscard]] std::vector<CheckpointRecord> TakeLoaded() { return std::move(loaded_); }

  /// Adds a stream or changes its detail. On disk after the next Write().
  std::shared_ptr<CheckpointSlot> Put(const CheckpointRecord& record);
  void Remove(const std::string& key);
  /// Appends what changed since the last call, so that a SIGKILL cannot lose it.
  Status Write();
  /// Makes everything durable and ends the thread. Called by the destructor too.
  Status Close();

 private:
  struct Live {
    std::uint32_t index = 0;
    std::string detail;
    AckTracker::Mark mark;  ///< At the last Put.
    std::shared_ptr<CheckpointSlot> slot;
    std::uint64_t order = 0;
  };
  CheckpointStore() = default;
  Status Load(const Options& options);
  std::uint32_t TakeIndex();
  void AppendPut(const std::string& key, const Live& live);
  [[nodiscard]] std::string Snapshot();  ///< With mu_ held.
  Status WriteLocked();
  Status Sync();
  Status Compact();
  void SyncLoop(const std::stop_token& stop);
  void OpenLogAsItIs();
  void Failed(const Error& error);

  std::string path_;
  bool first_start_ = false;
  std::int64_t created_ns_ = 0;
  std::size_t damaged_ = 0;
  std::vector<CheckpointRecord> loaded_;
  Counter write_failures_;
  std::chrono::milliseconds sync_interval_{1000};
  std::shared_ptr<CheckpointSlot::File> slots_;

  std::mutex mu_;
  std::unordered_map<std::string, Live> live_;
  std::vector<std::uint32_t> free_;
  std::uint32_t next_index_ = 0;
  std::uint64_t next_order_ = 0;
  Fd log_;
  std::string pending_;          ///< Lines not yet in the file.
  std::string since_;            ///< Lines written while a rewrite is going on.
  std::uint64_t log_size_ = 0;   ///< Bytes of whole lines in the file.
  std::uint64_t live_size_ = 0;  ///< log_size_ after the last rewrite.
  bool log_dirty_ = false, compacting_ = false, rewrite_ = false, closed_ = false;
  std::jthread syncer_;  // last: it uses everything above
};

}  // namespace millrace::agent
