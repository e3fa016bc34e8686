#pragma once
// From the thread that must go on answering the group to the thread that may block downstream.
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>

#include "agent/core/event.h"

namespace millrace::agent::kafka {

/// A few batches. Push() never blocks: the caller asks Full() first and stops reading. Thread safe.
class Handoff {
 public:
  explicit Handoff(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void Push(std::unique_ptr<EventBatch> batch);
  [[nodiscard]] bool Full() const;
  [[nodiscard]] bool HalfEmpty() const;
  /// False if it is still full after `limit`.
  bool WaitForRoom(std::chrono::milliseconds limit);
  /// Null when `stop` fired or after Close().
  std::unique_ptr<EventBatch> Pop(const std::stop_token& stop);
  /// Forgets the batches of a stream. Their acknowledgements end undelivered.
  void Remove(const EventId& stream);
  /// Forgets everything and takes nothing any more.
  void Close();

 private:
  const std::size_t max_bytes_;
  mutable std::mutex mu_;
  std::condition_variable_any ready_;
  std::condition_variable room_;
  std::deque<std::unique_ptr<EventBatch>> batches_;
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace millrace::agent::kafka
