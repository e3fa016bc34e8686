#pragma once
// Source `file`: tails log files. docs/sources/file.md tells how it knows files again.
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "agent/core/component.h"
#include "agent/sources/file/catalog.h"
#include "agent/sources/file/config.h"
#include "agent/sources/file/stall_guard.h"

namespace millrace::agent {

/// One thread reads all files: woken by inotify, each log gets max_read_bytes in turn.
class FileSource final : public Source {
 public:
  FileSource(FileConfig config, PathSet paths, FramingOptions framing, const Context& context);
  Status Run(std::stop_token stop, Output& out) override;
  void Close() override;

 private:
  enum class Step : std::uint8_t { kMore, kEnd };
  using Clock = std::chrono::steady_clock;

  void Queue(Tail& tail);
  void Forget(Tail& tail);
  void Turn();
  Tail* Choose(Family& family);
  Step Read(Tail& tail);
  bool Open(Tail& tail);
  void CloseFile(Tail& tail);
  [[nodiscard]] Result<std::size_t> Fill(Tail& tail, std::size_t want, bool& replaced);
  void SendLines(Tail& tail);
  void Send(Tail& tail, std::unique_ptr<EventBatch> batch);
  void FinishLine(Tail& tail);
  void GrowFingerprint(Tail& tail, std::string_view bytes, std::uint64_t position);
  [[nodiscard]] static bool BeginsAsBefore(Tail& tail);
  bool ComesTooEarly(Tail& tail);
  void AtEnd(Tail& tail);

  void WhileStalled();
  void Tick(Clock::time_point now);
  void SweepWaiting(Clock::time_point now);
  void SweepOpen(Clock::time_point now);
  void LimitDeleted();
  void RemoveOld(Clock::time_point now);
  void UpdateLag(Clock::time_point now);
  [[nodiscard]] int PollTimeout(Clock::time_point now) const;

  const FileConfig config_;
  const PathSet paths_;
  const FramingOptions framing_;
  const Context context_;
  const std::string_view file_key_, host_key_, offset_key_;  ///< Interned.
  Block host_;
  std::unique_ptr<CheckpointStore> store_;
  std::unique_ptr<Catalog> catalog_;
  Output* out_ = nullptr;
  bool stopped_ = false;
  std::unique_ptr<StallGuard> guard_;
  bool sending_lines_ = false;  ///< From the loop, not from within the catalog.

  std::deque<Family*> ready_;
  std::set<Tail*> waiting_;  ///< At their end, but something is due if they stay silent.
  std::set<Tail*> open_;
  std::set<Tail*> active_;  ///< Read lately: their lag is told.
  struct Lag {
    Gauge gauge;
    Clock::time_point zero_since;
    bool zero = false;
  };
  std::map<std::string, Lag> lags_;
  Clock::time_point next_tick_{}, next_rescan_{}, next_folders_{}, next_removal_{};

  Counter read_errors_, abandoned_bytes_, removed_, truncated_lines_, dropped_lines_;
  Gauge watched_, open_files_, folders_, polled_, lag_;
};

}  // namespace millrace::agent
