#pragma once
// Runs health checks in the background and keeps their last answers.
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/app_metrics/health.h"
#include "millrace/app_metrics/options.h"

namespace millrace::app_metrics {

enum class CheckState : unsigned char { kPending, kOk, kFailed };

struct CheckStatus {
  std::string name;
  bool required;
  CheckState state;
  std::string message;
  double last_seconds;  ///< How long the last finished run took.
  std::uint64_t runs, failures;
};

/// Thread safe.
class HealthRegistry {
 public:
  HealthRegistry(HealthOptions options, std::string version);
  /// Waits for a running check until its deadline has passed; a check that ignores its deadline is
  /// left behind with its own state.
  ~HealthRegistry();
  HealthRegistry(const HealthRegistry&) = delete;
  HealthRegistry& operator=(const HealthRegistry&) = delete;

  /// "" or what is wrong with the check.
  [[nodiscard]] std::string Add(HealthCheck check);
  [[nodiscard]] HealthReport Report() const;
  [[nodiscard]] HealthReport Live() const;
  [[nodiscard]] HealthReport Ready(bool draining) const;
  [[nodiscard]] std::vector<CheckStatus> Statuses() const;

 private:
  struct Worker;
  [[nodiscard]] HealthReport Render(bool draining) const;

  const HealthOptions options_;
  const std::string version_;
  mutable std::mutex mu_;
  std::vector<std::shared_ptr<Worker>> workers_;  // guarded by mu_; in the order of Add
};

}  // namespace millrace::app_metrics
