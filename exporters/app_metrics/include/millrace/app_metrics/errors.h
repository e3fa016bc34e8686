#pragma once
// Where errors go. The core knows this interface only; sentry.h has the implementation for servers
// that speak Sentry's protocol.
#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace millrace::app_metrics {

class Request;

struct ReporterCounts {
  std::uint64_t sent = 0;
  std::uint64_t dropped_queue_full = 0, dropped_rate_limited = 0, dropped_sampled = 0,
                dropped_rejected = 0, dropped_network = 0, dropped_spool_full = 0;
  std::uint64_t spooled = 0;
};

/// Thread safe. No call waits for the network or throws.
class ErrorReporter {
 public:
  virtual ~ErrorReporter() = default;
  virtual void Exception(std::exception_ptr exception, const Request* request) = 0;
  virtual void Message(std::string_view level, std::string_view text, const Request* request) = 0;
  virtual void SlowRequest(const Request& request, std::chrono::nanoseconds took, int status) = 0;
  /// Something that happened before; the last 30 of a thread's request go with its next report.
  virtual void Breadcrumb(std::string_view category, std::string_view text) = 0;
  /// Sends what is queued; false when `limit` passed first.
  virtual bool Flush(std::chrono::milliseconds limit) = 0;
  [[nodiscard]] virtual ReporterCounts Counts() const = 0;
};

}  // namespace millrace::app_metrics
