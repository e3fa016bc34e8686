#pragma once
// What the server asked to be spared:
// https://develop.sentry.dev/sdk/expected-features/rate-limiting/
#include <chrono>
#include <string_view>

namespace millrace::app_metrics::sentry {

/// Limits of the one category that is sent ("error"). Not thread safe.
class RateLimits {
 public:
  using Clock = std::chrono::steady_clock;
  /// From a response: its status and the two headers ("" = absent).
  void Update(int status, std::string_view retry_after, std::string_view sentry_limits,
              Clock::time_point now);
  [[nodiscard]] bool Active(Clock::time_point now) const { return now < until_; }

 private:
  Clock::time_point until_{};
};

}  // namespace millrace::app_metrics::sentry
