#pragma once
// The indices and data streams events go to, and which of them cannot take any at the moment.
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/core/metrics.h"
#include "agent/sinks/elasticsearch/items.h"
#include "agent/sinks/support/retry.h"

namespace millrace::agent {

/// One index, alias or data stream. Lives as long as its table knows it.
struct Target {
  Target(std::string target_name, std::string_view action, std::chrono::milliseconds first,
         std::chrono::milliseconds most);
  const std::string name;
  const std::string action_line;     ///< `{"create":{"_index":"NAME","_id":"`
  std::atomic<bool> paused = false;  ///< Events for it are parked, not sent.

  // The rest belongs to the table, under its lock.
  std::vector<Item> parked;
  Keep keep;
  Backoff backoff;
  std::chrono::steady_clock::time_point retry_at{};
  bool probing = false;
  std::string reason;
};

/// A target whose index is closed, read-only or forbidden is paused: its events wait here, a few
/// are tried again ever more slowly, and the other targets go on. Thread safe but for Find() and
/// Forget(), which one thread calls.
class TargetTable {
 public:
  using Clock = std::chrono::steady_clock;
  TargetTable(std::string_view action, std::chrono::milliseconds first,
              std::chrono::milliseconds most, std::string component_id, Metrics& metrics);

  [[nodiscard]] Target* Find(std::string_view name);
  [[nodiscard]] std::size_t size() const { return targets_.size(); }
  /// Drops targets that are not paused. No Item that names one may exist.
  void Forget();

  /// Keeps events of one target back. `reason` and `error` say why; null for an event that comes
  /// while its target is paused already.
  void Park(Target& target, const std::vector<Item>& items, std::string_view reason,
            std::string_view error);
  void ParkMore(const Item& item);
  /// The target took an event again.
  void Resume(Target& target);
  /// Events to send now: all of a target that goes again, a few of one whose time to be tried has
  /// come. At most `limit`, of one target.
  [[nodiscard]] std::vector<Item> TakeDue(Clock::time_point now, std::size_t limit, Keep& keep);

  /// Parked events in all.
  [[nodiscard]] std::size_t parked() const { return parked_.load(std::memory_order_relaxed); }
  /// Bytes that they keep in memory, about.
  [[nodiscard]] std::size_t parked_bytes() const {
    return parked_bytes_.load(std::memory_order_relaxed);
  }

 private:
  void AddLocked(Target& target, const Item& item);

  std::string action_, id_;
  std::chrono::milliseconds first_, most_;
  std::unordered_map<std::string, std::unique_ptr<Target>> targets_;
  mutable std::mutex mu_;
  std::vector<Target*> held_back_;  ///< Paused, or going again with events left.
  std::atomic<std::size_t> parked_ = 0, parked_bytes_ = 0;
  Gauge paused_gauge_, parked_gauge_;
};

}  // namespace millrace::agent
