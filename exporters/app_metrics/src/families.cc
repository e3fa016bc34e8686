// Which metrics there are, and how they are called. docs/app-metrics.md has the same list.
#include <array>

#include "exporters/app_metrics/src/page.h"
#include "exporters/app_metrics/src/process.h"

namespace millrace::app_metrics {
namespace {

using exposition::Label;
using Type = exposition::MetricType;

struct HttpNames {
  std::string_view method, route, status, scheme, in_flight, request_size, response_size;
};
constexpr HttpNames kPlain = {"method",
                              "route",
                              "status",
                              "",
                              "http_server_requests_in_flight",
                              "http_server_request_size_bytes",
                              "http_server_response_size_bytes"};
// https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ as Prometheus exporters spell it.
constexpr HttpNames kOpenTelemetry = {"http_request_method",
                                      "http_route",
                                      "http_response_status_code",
                                      "url_scheme",
                                      "http_server_active_requests",
                                      "http_server_request_body_size_bytes",
                                      "http_server_response_body_size_bytes"};

class Families {
 public:
  Families(AppMetrics::Impl& impl, FamilySink& sink)
      : impl_(impl),
        out_(sink),
        names_(impl.options.names == Names::kPlain ? kPlain : kOpenTelemetry) {}

  void Http() {
    std::vector<const RouteSeries*> routes;
    impl_.red.ForEachRoute([&](const RouteSeries& r) { routes.push_back(&r); });
    out_.Family("http_server_request_duration_seconds", Type::kHistogram,
                "Time from the head of a request to the end of its response.");
    ForEachStatus(routes, [&](std::span<const Label> labels, const StatusSeries& s) {
      s.duration.Snapshot(snapshot_);
      out_.Histogram(labels, impl_.red.durations(), snapshot_, s.exemplars.get());
    });
    out_.Family("http_server_requests_total", Type::kCounter, "Requests answered.");
    ForEachStatus(routes, [&](std::span<const Label> labels, const StatusSeries& s) {
      out_.Sample(labels, static_cast<double>(s.duration.Count() + s.untimed.Sum()));
    });
    Sizes(routes, names_.request_size, "Size of request bodies.", &RouteSeries::request_size);
    Sizes(routes, names_.response_size, "Size of response bodies.", &RouteSeries::response_size);
    out_.Family(names_.in_flight, Type::kGauge, "Requests being served.");
    for (std::uint8_t m = 0; m < kMethods; ++m) {
      const std::int64_t n = impl_.red.InFlight(m);
      if (n == 0 && m != 0) continue;
      const Label label{names_.method, MethodName(m)};
      out_.Sample({&label, 1}, static_cast<double>(n));
    }
    Counter("http_server_route_overflow_total",
            "Requests counted under route=\"overflow\" because max_routes was reached.",
            impl_.red.overflowed());
    Counter("http_server_exceptions_total", "Exceptions that left a handler.",
            impl_.exceptions.Sum());
    Counter("http_server_slow_requests_total", "Requests slower than the threshold.",
            impl_.slow.Sum());
    Counter("http_server_aborted_requests_total", "Requests that ended without a response.",
            impl_.aborted.Sum());
    out_.Family("http_server_bad_headers_total", Type::kCounter,
                "Values of request headers that were not taken over.");
    Labelled("header", "x-request-id", static_cast<double>(impl_.bad_ids.Sum()));
    Labelled("header", "traceparent", static_cast<double>(impl_.bad_traces.Sum()));
  }

  void Dependencies() {
    const auto& d = impl_.dependencies;
    out_.Family("app_dependency_duration_seconds", Type::kHistogram,
                "Time of one call to something the program depends on.");
    d.operations().ForEach([&](const Operation& o) {
      const std::array<Label, 2> labels = {
          {{"dependency", o.dependency}, {"operation", o.operation}}};
      o.duration.Snapshot(snapshot_);
      out_.Histogram(labels, d.layout(), snapshot_, nullptr);
    });
    out_.Family("app_dependency_errors_total", Type::kCounter, "Calls that failed, by kind.");
    d.operations().ForEach([&](const Operation& o) {
      const auto one = [&](std::string_view kind, double n) {
        const std::array<Label, 3> labels = {
            {{"dependency", o.dependency}, {"operation", o.operation}, {"kind", kind}}};
        out_.Sample(labels, n);
      };
      o.errors.ForEach(
          [&](const ErrorKind& e) { one(e.kind, static_cast<double>(e.count.Sum())); });
      if (const auto n = o.other_errors.Sum(); n > 0) one("other", static_cast<double>(n));
    });
    const auto checks = impl_.health.Statuses();
    out_.Family("app_dependency_up", Type::kGauge, "1 when the last check was fine.");
    for (const CheckStatus& c : checks)
      Labelled("dependency", c.name, c.state == CheckState::kOk ? 1 : 0);
    d.ups().ForEach([&](const UpState& u) { Labelled("dependency", u.name, u.up.load()); });
    out_.Family("app_health_check_duration_seconds", Type::kGauge, "Time of the last check.");
    for (const CheckStatus& c : checks) Labelled("dependency", c.name, c.last_seconds);
    out_.Family("app_health_check_failures_total", Type::kCounter, "Checks that failed.");
    for (const CheckStatus& c : checks)
      Labelled("dependency", c.name, static_cast<double>(c.failures));
    out_.Family("app_pool_connections", Type::kGauge, "Connections of a pool, by state.");
    d.pools().ForEach([&](const PoolState& p) {
      const auto one = [&](std::string_view state, std::size_t n) {
        const std::array<Label, 2> labels = {{{"pool", p.name}, {"state", state}}};
        out_.Sample(labels, static_cast<double>(n));
      };
      one("used", p.used.load());
      one("idle", p.idle.load());
      one("max", p.maximum.load());
    });
    out_.Family("app_events_total", Type::kCounter, "Business events, by result.");
    d.events().ForEach([&](const EventSeries& e) {
      const auto one = [&](std::string_view result, std::uint64_t n) {
        const std::array<Label, 2> labels = {{{"event", e.name}, {"result", result}}};
        out_.Sample(labels, static_cast<double>(n));
      };
      one("success", e.success.Sum());
      one("failure", e.failure.Sum());
    });
  }

  void Own() {
    const Options& o = impl_.options;
    out_.Family("app_build_info", Type::kGauge, "1; who runs here.");
    const std::array<Label, 3> build = {
        {{"service", o.service}, {"version", o.version}, {"environment", o.environment}}};
    out_.Sample(build, 1);
    out_.Family("app_ready", Type::kGauge, "1 when /health/ready answers 200.");
    out_.Sample({}, impl_.health.Ready(impl_.draining.load()).http_status == 200 ? 1 : 0);
    if (impl_.log != nullptr) {
      Counter("app_log_lines_total", "Access lines written.", impl_.log->written());
      out_.Family("app_log_lines_dropped_total", Type::kCounter, "Access lines lost, by reason.");
      Labelled("reason", "queue_full", static_cast<double>(impl_.log->dropped_queue_full()));
      Labelled("reason", "write_failed", static_cast<double>(impl_.log->dropped_write_failed()));
    }
    if (const ErrorReporter* r = impl_.reporter.load(std::memory_order_acquire)) Reporter(*r);
    if (const auto p = ReadProcessFacts()) Process(*p);
  }

 private:
  void Counter(std::string_view name, std::string_view help, std::uint64_t value) {
    out_.Family(name, Type::kCounter, help);
    out_.Sample({}, static_cast<double>(value));
  }
  void Gauge(std::string_view name, std::string_view help, double value) {
    out_.Family(name, Type::kGauge, help);
    out_.Sample({}, value);
  }
  void Labelled(std::string_view name, std::string_view text, double value) {
    const Label label{name, text};
    out_.Sample({&label, 1}, value);
  }

  // The labels of a route; four with a scheme and a status.
  std::span<const Label> LabelsOf(const RouteSeries& r, const StatusSeries* s) {
    std::size_t n = 0;
    labels_[n++] = {names_.method, MethodName(r.method)};
    labels_[n++] = {names_.route, r.route};
    if (s != nullptr) labels_[n++] = {names_.status, s->status_text};
    if (!names_.scheme.empty()) labels_[n++] = {names_.scheme, r.https ? "https" : "http"};
    return {labels_.data(), n};
  }
  template <class F>
  void ForEachStatus(const std::vector<const RouteSeries*>& routes, F&& f) {
    for (const RouteSeries* r : routes) {
      for (const auto& slot : r->by_status) {
        const StatusSeries* s = slot.load(std::memory_order_acquire);
        if (s == nullptr) break;
        f(LabelsOf(*r, s), *s);
      }
    }
  }
  void Sizes(const std::vector<const RouteSeries*>& routes, std::string_view name,
             std::string_view help, ShardedHistogram RouteSeries::* which) {
    out_.Family(name, Type::kHistogram, help);
    for (const RouteSeries* r : routes) {
      (r->*which).Snapshot(snapshot_);
      out_.Histogram(LabelsOf(*r, nullptr), impl_.red.sizes(), snapshot_, nullptr);
    }
  }
  void Reporter(const ErrorReporter& reporter) {
    const ReporterCounts c = reporter.Counts();
    Counter("app_error_reports_sent_total", "Error reports that the server took.", c.sent);
    out_.Family("app_error_reports_dropped_total", Type::kCounter,
                "Error reports lost, by reason.");
    const std::pair<std::string_view, std::uint64_t> reasons[] = {
        {"queue_full", c.dropped_queue_full}, {"rate_limited", c.dropped_rate_limited},
        {"sampled", c.dropped_sampled},       {"rejected", c.dropped_rejected},
        {"network", c.dropped_network},       {"spool_full", c.dropped_spool_full}};
    for (const auto& [reason, n] : reasons) Labelled("reason", reason, static_cast<double>(n));
    Gauge("app_error_reports_spooled", "Error reports that wait on disk.",
          static_cast<double>(c.spooled));
  }
  void Process(const ProcessFacts& p) {
    out_.Family("process_cpu_seconds_total", Type::kCounter,
                "Total user and system CPU time spent in seconds.");
    out_.Sample({}, p.cpu_seconds);
    Gauge("process_resident_memory_bytes", "Resident memory size in bytes.", p.resident_bytes);
    Gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", p.virtual_bytes);
    Gauge("process_open_fds", "Number of open file descriptors.", p.open_fds);
    Gauge("process_max_fds", "Maximum number of open file descriptors.", p.max_fds);
    Gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
          p.start_time_seconds);
    Gauge("process_threads", "Number of threads of the process.", p.threads);
  }

  AppMetrics::Impl& impl_;
  FamilySink& out_;
  const HttpNames& names_;
  HistogramSnapshot snapshot_;
  std::array<Label, 4> labels_;
};

}  // namespace

void WriteFamilies(AppMetrics::Impl& impl, FamilySink& sink) {
  Families families(impl, sink);
  families.Http();
  families.Dependencies();
  families.Own();
}

}  // namespace millrace::app_metrics
