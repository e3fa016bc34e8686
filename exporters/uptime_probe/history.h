#pragma once
// Recent probes with their logs, for the landing page and /logs. Failures are kept longer: those
// that newer results push out move to a list of their own, of the same length.
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::uptime_probe {

struct ProbeResult {
  std::int64_t id = 0;
  std::string module, target;
  bool success = false;
  std::string reason;  ///< Of a failure.
  double seconds = 0;
  std::int64_t unix_time = 0;
  std::string log, metrics;
  std::shared_ptr<const std::string> module_text;  ///< The module's configuration, shared.

  /// The page of /logs and of debug=true.
  [[nodiscard]] std::string DebugText() const;
};

/// Thread safe.
class History {
 public:
  explicit History(std::size_t limit) : limit_(limit) {}
  /// Gives the result its id and keeps it.
  void Add(std::shared_ptr<ProbeResult> result);
  /// Newest first.
  [[nodiscard]] std::vector<std::shared_ptr<const ProbeResult>> List() const;
  [[nodiscard]] std::shared_ptr<const ProbeResult> ById(std::int64_t id) const;
  /// The newest of that target, and of that module unless it is "".
  [[nodiscard]] std::shared_ptr<const ProbeResult> ByTarget(std::string_view target,
                                                            std::string_view module) const;

 private:
  const std::size_t limit_;
  mutable std::mutex mu_;
  std::int64_t next_id_ = 0;
  std::deque<std::shared_ptr<const ProbeResult>> results_, failures_;
};

}  // namespace millrace::uptime_probe
