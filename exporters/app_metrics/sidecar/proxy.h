#pragma once
// Reverse proxy with the middleware inside: HTTP/1.1 with keep-alive on both sides, streaming in
// both directions, WebSocket and other upgrades, event-driven, bounded everywhere.
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "millrace/app_metrics/app_metrics.h"

namespace millrace::app_metrics::sidecar {

struct ProxyOptions {
  std::string listen = "127.0.0.1:8081";
  std::string backend = "127.0.0.1:8080";  ///< Resolved once, at the start.
  unsigned threads = 1;
  std::size_t max_connections = 10'000;              ///< Of clients; further ones get 503.
  std::size_t idle_backend_connections = 64;         ///< A thread.
  std::size_t buffer_bytes = std::size_t{64} << 10;  ///< A direction and connection.
  std::chrono::milliseconds head_timeout{10'000}, idle_timeout{75'000}, connect_timeout{5'000},
      response_timeout{60'000}, stall_timeout{60'000};
};

struct ProxyStats {
  std::atomic<std::int64_t> clients{0}, upgraded{0}, backend_connections{0};
  std::atomic<std::uint64_t> refused{0}, bad_requests{0}, backend_connect_errors{0},
      backend_bad_responses{0}, backend_timeouts{0}, backend_retries{0}, client_timeouts{0};
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

/// Runs from Start to its destructor.
class Proxy {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Proxy>> Start(ProxyOptions options,
                                                            AppMetrics& metrics);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] const ProxyStats& stats() const;

 private:
  class Loop;
  struct Shared;
  Proxy();
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace millrace::app_metrics::sidecar
