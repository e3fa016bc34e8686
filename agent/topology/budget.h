#pragma once
// The bytes that all queues of the process may hold together.
#include <algorithm>
#include <atomic>
#include <cstddef>

namespace millrace::agent {

/// Thread safe. Every queue has its own limit and a share of the budget that the others cannot
/// take: a queue that is stuck full must not stop the rest.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t max_bytes) : max_(max_bytes) {}
  void AddQueue() { queues_.fetch_add(1, std::memory_order_relaxed); }

  /// True, and counted, when `n` more bytes fit for a queue that holds `queue_bytes` now.
  bool TryReserve(std::size_t n, std::size_t queue_bytes) {
    const std::size_t share =
        max_ / std::max<std::size_t>(1, queues_.load(std::memory_order_relaxed));
    const std::size_t before = used_.fetch_add(n, std::memory_order_relaxed);
    if (before + n <= max_ || queue_bytes + n <= share || queue_bytes == 0) return true;
    used_.fetch_sub(n, std::memory_order_relaxed);
    return false;
  }
  void Release(std::size_t n) { used_.fetch_sub(n, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t max() const { return max_; }

 private:
  const std::size_t max_;
  std::atomic<std::size_t> used_{0}, queues_{0};
};

}  // namespace millrace::agent
