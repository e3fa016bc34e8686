#pragma once
// Health checks. Each runs on its own thread, in the background; /health only reads the last
// answers, so that a database that hangs never hangs the page.
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace millrace::app_metrics {

struct CheckResult {
  bool ok = true;
  /// Why not; shown only with HealthOptions::show_details, and in the log when the state changes.
  std::string message{};

  static CheckResult Ok() { return {}; }
  static CheckResult Failed(std::string why) { return {false, std::move(why)}; }
};

struct HealthCheck {
  /// The key in the JSON ("database"), and the value of label `dependency`.
  std::string name{};
  /// Has until `deadline`; a later answer counts as a failure ("timed out"). May block: nothing
  /// waits for it. An exception is a failure.
  std::function<CheckResult(std::chrono::steady_clock::time_point deadline)> run{};
  /// False: a failure makes the status "degraded", which is still 200.
  bool required = true;
  std::chrono::milliseconds interval{5000};
  std::chrono::milliseconds timeout{2000};
  /// Consecutive failures after which a check that was fine counts as failed.
  int failures = 1;
};

/// What /health answers.
struct HealthReport {
  int http_status = 200;
  std::string body;  ///< application/json
};

}  // namespace millrace::app_metrics
