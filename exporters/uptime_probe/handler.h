#pragma once
// GET /probe: picks module and target, runs the prober, answers with its metrics.
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "common/http/server.h"
#include "exporters/uptime_probe/config_store.h"
#include "exporters/uptime_probe/history.h"
#include "exporters/uptime_probe/prober.h"

namespace millrace::uptime_probe {

struct HandlerOptions {
  double timeout_offset = 0.5;  ///< Seconds taken off Prometheus' scrape timeout.
  log::Level log_level = log::Level::kInfo;
  ProbeOptions probe;
};

/// How long a probe may take, in seconds: the scrape timeout less the offset, or the module's
/// timeout if that is shorter. `header` is X-Prometheus-Scrape-Timeout-Seconds. kParse for a header
/// that is no number.
[[nodiscard]] Result<double> ProbeTimeout(std::string_view header, const Module& module,
                                          double offset);

/// Thread safe.
class ProbeHandler {
 public:
  ProbeHandler(const ConfigStore& store, History& history, HandlerOptions options)
      : store_(store), history_(history), options_(options) {}

  void Serve(const http::Request& request, http::Response& response);

  [[nodiscard]] std::uint64_t unknown_modules() const { return unknown_modules_.load(); }
  /// Probes so far by module: succeeded, failed.
  [[nodiscard]] std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> Counts() const;

 private:
  void Count(const std::string& module, bool success);

  const ConfigStore& store_;
  History& history_;
  const HandlerOptions options_;
  std::atomic<std::uint64_t> unknown_modules_{0};
  mutable std::mutex mu_;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> counts_;
};

}  // namespace millrace::uptime_probe
