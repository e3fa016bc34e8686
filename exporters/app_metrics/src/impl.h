#pragma once
// What an AppMetrics is made of.
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/registry.h>

#include "exporters/app_metrics/src/client_ip.h"
#include "exporters/app_metrics/src/dependencies.h"
#include "exporters/app_metrics/src/health_registry.h"
#include "exporters/app_metrics/src/log_writer.h"
#include "exporters/app_metrics/src/red_metrics.h"
#include "exporters/app_metrics/src/redact.h"
#include "exporters/app_metrics/src/routes.h"
#include "millrace/app_metrics/app_metrics.h"
#include "millrace/app_metrics/errors.h"

namespace millrace {

struct AppMetrics::Impl {
  explicit Impl(app_metrics::Options o);

  const app_metrics::Options options;
  std::vector<std::string> problems;  // guarded by problems_mu
  mutable std::mutex problems_mu;
  void Problem(std::string text);
  /// The route of a path that nobody named; `scratch` has kMaxRoute bytes.
  [[nodiscard]] std::string_view RouteOf(std::string_view path, char* scratch) const;

  const app_metrics::RouteTable routes;
  const app_metrics::Redactor redactor;
  app_metrics::TrustedProxies trusted;
  app_metrics::RedMetrics red;
  app_metrics::Dependencies dependencies;
  app_metrics::HealthRegistry health;
  std::unique_ptr<app_metrics::LogWriter> log;  // null when there is no access log
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  mutable std::mutex collectables_mu;
  std::vector<std::weak_ptr<prometheus::Collectable>> collectables;  // guarded by collectables_mu
  std::atomic<bool> draining{false};
  app_metrics::ShardedSum exceptions, slow, aborted, bad_ids, bad_traces;

  mutable std::mutex reporter_mu;
  std::shared_ptr<app_metrics::ErrorReporter> reporter_owner;        // guarded by reporter_mu
  std::vector<std::shared_ptr<app_metrics::ErrorReporter>> retired;  // guarded by reporter_mu
  std::atomic<app_metrics::ErrorReporter*> reporter{nullptr};

  /// Shared by everything that scrapes at the same moment.
  struct PageCache {
    std::mutex mu;
    std::condition_variable built;
    bool building = false;
    std::uint64_t generation = 0;  // pages finished
    std::shared_ptr<const std::string> page;
  };
  PageCache pages[3];  // by exposition::Format
};

namespace app_metrics {

struct Internals {
  static AppMetrics::Impl& Of(AppMetrics& m) { return *m.impl_; }
  static std::shared_ptr<prometheus::Collectable> MakeCollectable(AppMetrics& m);
};

/// Writes the access line of a finished request.
struct AccessLine {
  static void Write(AppMetrics::Impl& impl, const Request& request, int status,
                    std::uint64_t nanoseconds, std::uint64_t bytes_in, std::uint64_t bytes_out,
                    std::int64_t unix_ms);
};

}  // namespace app_metrics
}  // namespace millrace
