#include "exporters/app_metrics/src/sentry/rate_limit.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <string>

#include <curl/curl.h>

#include "common/base/strings.h"

namespace millrace::app_metrics::sentry {
namespace {

// A limit longer than a day is a mistake of somebody's.
constexpr std::chrono::seconds kLongest{86'400};
constexpr std::chrono::seconds kUnspecified{60};

std::optional<std::chrono::seconds> Seconds(std::string_view text) {
  const auto n = ParseNumber<double>(Trim(text));
  if (!n || !(*n >= 0)) return std::nullopt;
  return std::min(kLongest, std::chrono::seconds(static_cast<long>(std::min(*n + 0.999, 1e6))));
}

// Retry-After is a number of seconds or a date (RFC 9110, 10.2.3).
std::chrono::seconds RetryAfter(std::string_view text) {
  if (const auto s = Seconds(text)) return *s;
  const std::time_t at = ::curl_getdate(std::string(text).c_str(), nullptr);
  if (at < 0) return kUnspecified;
  return std::clamp(std::chrono::seconds(at - std::time(nullptr)), std::chrono::seconds(0),
                    kLongest);
}

}  // namespace

void RateLimits::Update(int status, std::string_view retry_after, std::string_view sentry_limits,
                        Clock::time_point now) {
  if (sentry_limits.empty()) {
    if (status == 429) until_ = std::max(until_, now + RetryAfter(retry_after));
    return;
  }
  // retry_after:categories:scope:reason, ... ; no category means all.
  for (const std::string_view quota : Split(sentry_limits, ',')) {
    const auto parts = Split(quota, ':');
    const auto seconds = Seconds(parts[0]).value_or(kUnspecified);
    const std::string_view categories = parts.size() > 1 ? Trim(parts[1]) : std::string_view();
    bool ours = categories.empty();
    for (const std::string_view c : Split(categories, ';')) ours |= c == "error" || c == "default";
    if (ours) until_ = std::max(until_, now + seconds);
  }
}

}  // namespace millrace::app_metrics::sentry
