#pragma once
// One POST of an envelope.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "exporters/app_metrics/src/sentry/dsn.h"
#include "millrace/app_metrics/sentry.h"

namespace millrace::app_metrics::sentry {

struct Reply {
  int status = 0;  ///< 0: no answer, `error` says why
  std::string error, retry_after, rate_limits;
};

/// Keeps its connection. One thread.
class Transport {
 public:
  Transport(const Dsn& dsn, EnvelopeCompression compression, std::chrono::milliseconds timeout,
            std::string ca_file);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  [[nodiscard]] Reply Post(std::string_view envelope);
  /// From another thread: every transfer ends by then (steady clock, nanoseconds since its epoch).
  void GiveUpAt(std::chrono::steady_clock::time_point when) {
    give_up_.store(when.time_since_epoch().count());
  }

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
  const EnvelopeCompression compression_;
  std::atomic<std::chrono::steady_clock::rep> give_up_{0};
};

}  // namespace millrace::app_metrics::sentry
