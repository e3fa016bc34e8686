#pragma once
// Makes a C++ back-end observable:
//   httplib::Server server;
//   millrace::AppMetrics metrics{{.service = "orders", .version = "1.4.0"}};
//   metrics.attach(server);   // with <millrace/app_metrics/httplib.h>
// After construction no member fails or throws: what cannot be done is counted, and what was wrong
// with the options is listed by problems().
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/app_metrics/context.h"
#include "millrace/app_metrics/health.h"
#include "millrace/app_metrics/options.h"
#include "millrace/app_metrics/request.h"
#include "millrace/app_metrics/timer.h"

namespace prometheus {
class Collectable;
class Registry;
}  // namespace prometheus

namespace millrace {

namespace app_metrics {
class ErrorReporter;

/// The answer to a GET of the metrics page.
struct MetricsPage {
  std::shared_ptr<const std::string> body;
  std::string_view content_type;
};
}  // namespace app_metrics

/// Thread safe. Must outlive the servers it is attached to.
class AppMetrics {
 public:
  struct Impl;  ///< Not for users.

  explicit AppMetrics(app_metrics::Options options = {});
  ~AppMetrics();
  AppMetrics(const AppMetrics&) = delete;
  AppMetrics& operator=(const AppMetrics&) = delete;

  /// Hooks into `server` through the adapter whose header is included. Before the server listens.
  template <class Server, class... Hooks>
  void attach(Server& server, Hooks&&... hooks) {
    AttachTo(*this, server, std::forward<Hooks>(hooks)...);
  }

  /// Times one call to the database until the end of the scope:
  ///   auto t = metrics.db("select_user");   ...   if (!row) t.fail("not_found");
  /// A scope left by an exception counts as kind "exception". Operations are names, not
  /// statements; at most 200 of them, the rest share "overflow".
  [[nodiscard]] app_metrics::Timer db(std::string_view operation) {
    return dependency("database", operation);
  }
  [[nodiscard]] app_metrics::Timer redis(std::string_view operation) {
    return dependency("redis", operation);
  }
  [[nodiscard]] app_metrics::Timer dependency(std::string_view name, std::string_view operation);
  /// app_dependency_up, for what no health check watches.
  void set_up(std::string_view dependency, bool up);
  /// app_pool_connections{pool,state}: of a pool of connections.
  void set_pool(std::string_view pool, std::size_t used, std::size_t idle, std::size_t maximum);

  /// app_events_total{event,result}.
  void event(std::string_view name, bool success);
  void login(bool success) { event("login", success); }
  void registration(bool success) { event("registration", success); }
  void message_sent(bool success) { event("message_sent", success); }

  /// Counts a request that was served and measured elsewhere; no log line.
  void record(const app_metrics::FinishedRequest& request);

  /// For metrics of your own; they are on the same page.
  [[nodiscard]] prometheus::Registry& registry();
  /// Further metrics for the page, for as long as they live.
  void add_collectable(std::weak_ptr<prometheus::Collectable> collectable);
  /// Everything of ours for a page that somebody else serves, such as prometheus::Exposer.
  [[nodiscard]] std::shared_ptr<prometheus::Collectable> collectable();

  /// Starts its thread. Names are unique; a second check of a name replaces nothing and is listed
  /// in problems().
  void add_check(app_metrics::HealthCheck check);
  /// All checks; required ones decide.
  [[nodiscard]] app_metrics::HealthReport health() const;
  /// The process answers.
  [[nodiscard]] app_metrics::HealthReport live() const;
  /// health(), and not draining.
  [[nodiscard]] app_metrics::HealthReport ready() const;
  /// From now on ready() fails, so that a load balancer takes the process out before it stops.
  void set_draining(bool draining);

  /// `accept`: the Accept header of the scraper; decides between text 0.0.4, OpenMetrics 1.0 and
  /// protobuf. Scrapes at the same moment share one page.
  [[nodiscard]] app_metrics::MetricsPage page(std::string_view accept);

  /// Receives slow requests, exceptions and messages; see sentry.h. Before requests come in.
  void set_error_reporter(std::shared_ptr<app_metrics::ErrorReporter> reporter);
  [[nodiscard]] app_metrics::ErrorReporter* error_reporter() const;
  /// An exception that left a handler of `request` (or nullptr). Counted, and reported when there
  /// is a reporter.
  void report_exception(std::exception_ptr exception, const app_metrics::Request* request);
  /// A message with level "info", "warning" or "error".
  void report_message(std::string_view level, std::string_view text);

  /// Something that happened; the last 30 of this thread's request go with its next report.
  void breadcrumb(std::string_view category, std::string_view text);

  /// Waits until every access line handed in so far is written, at most `limit`.
  bool flush_logs(std::chrono::milliseconds limit);

  /// What was wrong with the options; the same lines were written to standard error.
  [[nodiscard]] std::vector<std::string> problems() const;
  [[nodiscard]] const app_metrics::Options& options() const;

 private:
  friend struct app_metrics::Internals;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
