#pragma once
// End-to-end acknowledgement.
#include <atomic>
#include <cstdint>
#include <memory>

namespace millrace::agent {

/// Tells a source what became of what it sent: one per source read (a range of a file, a run of
/// Kafka offsets), shared by every batch cut from it.
///
/// Silence is not success. A token starts with one holder, the pipeline itself, which settles after
/// every event of the batch was handed to a view or was dropped because the user asked for it. Each
/// BatchView is one more holder, until the target has the events for good. If the last reference
/// goes while a holder is still open (an exception, a bug, a stop in mid-air), delivered() is false
/// and the source repeats the range after a restart.
///
/// A concrete token reports to its source from its destructor; that may run on any thread and must
/// not block.
class AckToken {
 public:
  AckToken() = default;
  AckToken(const AckToken&) = delete;
  AckToken& operator=(const AckToken&) = delete;
  virtual ~AckToken() = default;

  void AddHolder() noexcept { open_.fetch_add(1, std::memory_order_relaxed); }
  void Settle() noexcept { open_.fetch_sub(1, std::memory_order_release); }

 protected:
  [[nodiscard]] bool delivered() const noexcept {
    return open_.load(std::memory_order_acquire) == 0;
  }

 private:
  std::atomic<std::uint32_t> open_{1};
};

}  // namespace millrace::agent
