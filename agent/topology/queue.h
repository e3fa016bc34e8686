#pragma once
// The bounded queue between stages: the only place where threads of the topology meet.
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>

#include "agent/core/component.h"
#include "agent/topology/budget.h"

namespace millrace::agent {

enum class WhenFull : unsigned char {
  kBlock,       ///< The sender waits: backpressure up to the sources.
  kDropNewest,  ///< What does not fit is dropped and counted.
};

/// Bounded by bytes kept alive. Thread safe.
template <class T>
class BoundedQueue {
 public:
  enum class Pushed : unsigned char { kYes, kFull, kStopped };

  BoundedQueue(std::size_t max_bytes, MemoryBudget& budget)
      : max_bytes_(max_bytes), budget_(budget) {
    budget.AddQueue();
  }

  /// Waits for room until `stop` fires; without `wait` says kFull instead. `item` is untouched
  /// unless the answer is kYes. An item larger than the whole queue passes when the queue is empty.
  Pushed Push(T&& item, std::size_t bytes, bool wait, const std::stop_token& stop) {
    std::unique_lock lock(mu_);
    const auto fits = [&] {
      if (bytes_ != 0 && bytes_ + bytes > max_bytes_) return false;
      return budget_.TryReserve(bytes, bytes_);
    };
    bool taken = fits();
    if (!taken && !wait) return Pushed::kFull;
    while (!taken) {
      if (stop.stop_requested()) return Pushed::kStopped;
      // Room in the budget is made by other queues, which do not wake this one: look again now and
      // then.
      taken = room_.wait_for(lock, stop, std::chrono::milliseconds(20), fits);
    }
    const bool was_empty = items_.empty();
    items_.push_back({std::move(item), bytes});
    bytes_ += bytes;
    if (was_empty || waiting_) ready_.notify_one();
    return Pushed::kYes;
  }

  SinkInput::Pop Pop(T& out, std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mu_);
    waiting_ = true;
    const auto some = [&] { return !items_.empty() || closed_; };
    if (deadline == std::chrono::steady_clock::time_point::max()) {
      ready_.wait(lock, some);
    } else {
      ready_.wait_until(lock, deadline, some);
    }
    waiting_ = false;
    if (items_.empty()) return closed_ ? SinkInput::Pop::kClosed : SinkInput::Pop::kTimeout;
    out = std::move(items_.front().item);
    const std::size_t bytes = items_.front().bytes;
    items_.pop_front();
    bytes_ -= bytes;
    budget_.Release(bytes);
    lock.unlock();
    room_.notify_all();
    return SinkInput::Pop::kItem;
  }

  /// Nothing more will be pushed; what is queued can still be popped.
  void Close() {
    const std::lock_guard lock(mu_);
    closed_ = true;
    ready_.notify_all();
  }
  [[nodiscard]] bool Empty() const {
    const std::lock_guard lock(mu_);
    return items_.empty();
  }
  [[nodiscard]] std::size_t bytes() const {
    const std::lock_guard lock(mu_);
    return bytes_;
  }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mu_);
    return items_.size();
  }
  [[nodiscard]] std::size_t max_bytes() const { return max_bytes_; }

 private:
  struct Item {
    T item;
    std::size_t bytes;
  };
  mutable std::mutex mu_;
  std::condition_variable ready_;
  std::condition_variable_any room_;
  std::deque<Item> items_;
  std::size_t bytes_ = 0;
  const std::size_t max_bytes_;
  bool closed_ = false, waiting_ = false;
  MemoryBudget& budget_;
};

}  // namespace millrace::agent
