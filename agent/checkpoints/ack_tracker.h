#pragma once
// The lowest unacknowledged position of one stream, however late and out of order acknowledgements
// come.
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "agent/core/ack.h"

namespace millrace::agent {

/// One stream (a file's content, a Kafka partition). The source registers what it sends as ranges,
/// in order, from one thread; ranges are resolved on any thread, in any order. position() is where
/// reading has to start again after a crash: everything before it is delivered.
///
/// A range that ends undelivered stays open for good: the position never passes it, and the source
/// repeats from there after a restart.
class AckTracker {
 public:
  /// Where everything before is delivered, and what the source noted about that place.
  struct Mark {
    std::uint64_t position = 0;
    std::uint64_t note = 0;  ///< Opaque to the tracker: a hash, a leader epoch.
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  /// Called when the position moved, under the tracker's lock (so in order), on the thread that
  /// resolved the range: must not block and must not call the tracker.
  using OnAdvance = std::function<void(const Mark&)>;

  explicit AckTracker(Mark start, OnAdvance on_advance = {})
      : mark_(start), on_advance_(std::move(on_advance)) {}
  AckTracker(const AckTracker&) = delete;
  AckTracker& operator=(const AckTracker&) = delete;

  /// A new range from the end of the one before to `end` (exclusive; offsets that do not exist may
  /// lie in it). The handle is for Resolve().
  std::uint64_t Register(Mark end);
  /// Says how the range ended; each handle once.
  void Resolve(std::uint64_t handle, bool delivered);

  [[nodiscard]] Mark mark() const;
  [[nodiscard]] std::uint64_t position() const { return mark().position; }
  /// Ranges neither delivered nor failed: 0 means that everything sent has been heard of.
  [[nodiscard]] std::size_t in_flight() const;
  /// Ranges that ended undelivered.
  [[nodiscard]] std::uint64_t failed() const;

 private:
  enum class State : std::uint8_t { kOpen, kDelivered, kFailed };
  struct Range {
    Mark end;
    State state = State::kOpen;
  };

  mutable std::mutex mu_;
  // A vector with a moving head, not a deque: an idle stream holds no memory, and there are
  // thousands.
  std::vector<Range> ranges_;
  std::size_t head_ = 0;
  std::uint64_t base_ = 0;  ///< Handle of ranges_[0].
  std::size_t in_flight_ = 0;
  std::uint64_t failed_ = 0;
  Mark mark_;
  OnAdvance on_advance_;
};

/// The token of one range. Holding the tracker by shared_ptr is the fence: a source that lost the
/// stream (a revoked partition) drops its reference, and late acknowledgements move nothing that
/// anybody reads.
class RangeAck final : public AckToken {
 public:
  RangeAck(std::shared_ptr<AckTracker> tracker, AckTracker::Mark end)
      : tracker_(std::move(tracker)), handle_(tracker_->Register(end)) {}
  ~RangeAck() override { tracker_->Resolve(handle_, delivered()); }

 private:
  std::shared_ptr<AckTracker> tracker_;
  std::uint64_t handle_;
};

}  // namespace millrace::agent
