#include "millrace/app_metrics/app_metrics.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "exporters/app_metrics/src/page.h"

namespace millrace {

using app_metrics::Options;
using app_metrics::ShardCount;

namespace {

Options WithEnvironment(Options o) {
  const auto fill = [](std::string& value, const char* name, const char* otherwise) {
    if (!value.empty()) return;
    const char* text = std::getenv(name);
    value = text != nullptr && *text != 0 ? text : otherwise;
  };
  fill(o.version, "APP_VERSION", "unknown");
  fill(o.environment, "APP_ENV", "production");
  if (o.health.failure_status < 400 || o.health.failure_status > 599) o.health.failure_status = 500;
  o.max_routes = std::min<std::size_t>(std::max<std::size_t>(o.max_routes, 1), 100'000);
  return o;
}

}  // namespace

AppMetrics::Impl::Impl(Options o)
    : options(WithEnvironment(std::move(o))),
      routes(options.routes),
      redactor(options.access_log.redact),
      red({options.duration_buckets, options.size_buckets, options.native_histograms,
           options.exemplars, options.names == app_metrics::Names::kOpenTelemetry,
           options.max_routes, options.shards}),
      dependencies(options.duration_buckets, options.native_histograms, options.shards),
      health(options.health, options.version),
      exceptions(ShardCount(options.shards)),
      slow(ShardCount(options.shards)),
      aborted(ShardCount(options.shards)),
      bad_ids(ShardCount(options.shards)),
      bad_traces(ShardCount(options.shards)) {
  for (const std::string& cidr : options.trusted_proxies)
    if (!trusted.Add(cidr))
      Problem("trusted_proxies: \"" + cidr + "\" is no address or CIDR block");
  for (const std::string& route : options.routes)
    if (route.empty() || route[0] != '/' || route.size() > app_metrics::kMaxRoute)
      Problem("routes: \"" + route + "\" must begin with / and have at most 200 bytes");
  if (options.access_log.enabled) {
    std::string problem;
    log = std::make_unique<app_metrics::LogWriter>(options.access_log.path,
                                                   options.access_log.queue_bytes, problem);
    if (!problem.empty()) Problem(std::move(problem));
  }
}

std::string_view AppMetrics::Impl::RouteOf(std::string_view path, char* scratch) const {
  if (const std::string_view declared = routes.Match(path); !declared.empty()) return declared;
  if (options.guess_routes && options.routes.empty())
    return app_metrics::GuessTemplate(path, scratch);
  return "unmatched";
}

void AppMetrics::Impl::Problem(std::string text) {
  std::fprintf(stderr, "millrace::AppMetrics: %s\n", text.c_str());
  const std::lock_guard lock(problems_mu);
  problems.push_back(std::move(text));
}

AppMetrics::AppMetrics(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
AppMetrics::~AppMetrics() = default;

app_metrics::Timer AppMetrics::dependency(std::string_view name, std::string_view operation) {
  return app_metrics::Timer(impl_->dependencies.Find(name, operation));
}
void AppMetrics::set_up(std::string_view dependency, bool up) {
  impl_->dependencies.SetUp(dependency, up);
}
void AppMetrics::set_pool(std::string_view pool, std::size_t used, std::size_t idle,
                          std::size_t maximum) {
  impl_->dependencies.SetPool(pool, used, idle, maximum);
}
void AppMetrics::event(std::string_view name, bool success) {
  impl_->dependencies.Event(name, success);
}

void AppMetrics::record(const app_metrics::FinishedRequest& r) {
  std::string_view route = r.route;
  char guessed[app_metrics::kMaxRoute];
  if (route.empty()) route = impl_->RouteOf(r.path, guessed);
  std::int64_t unix_ms = 0;
  if (impl_->options.exemplars && !r.request_id.empty())
    unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                  std::chrono::system_clock::now().time_since_epoch())
                  .count();
  impl_->red.Record({{app_metrics::MethodIndex(r.method), r.https, route},
                     r.status,
                     static_cast<std::uint64_t>(std::max<std::int64_t>(0, r.duration.count())),
                     r.bytes_in,
                     r.bytes_out,
                     r.request_id,
                     false,
                     unix_ms,
                     r.duration.count() >= 0});
}

prometheus::Registry& AppMetrics::registry() { return *impl_->registry; }
void AppMetrics::add_collectable(std::weak_ptr<prometheus::Collectable> collectable) {
  const std::lock_guard lock(impl_->collectables_mu);
  std::erase_if(impl_->collectables, [](const auto& c) { return c.expired(); });
  impl_->collectables.push_back(std::move(collectable));
}
std::shared_ptr<prometheus::Collectable> AppMetrics::collectable() {
  return app_metrics::Internals::MakeCollectable(*this);
}

void AppMetrics::add_check(app_metrics::HealthCheck check) {
  if (std::string problem = impl_->health.Add(std::move(check)); !problem.empty())
    impl_->Problem(std::move(problem));
}
app_metrics::HealthReport AppMetrics::health() const { return impl_->health.Report(); }
app_metrics::HealthReport AppMetrics::live() const { return impl_->health.Live(); }
app_metrics::HealthReport AppMetrics::ready() const {
  return impl_->health.Ready(impl_->draining.load());
}
void AppMetrics::set_draining(bool draining) { impl_->draining.store(draining); }

app_metrics::MetricsPage AppMetrics::page(std::string_view accept) {
  const exposition::Negotiated wanted = exposition::NegotiateFormat(accept);
  Impl::PageCache& cache = impl_->pages[static_cast<std::size_t>(wanted.format)];
  app_metrics::MetricsPage result;
  result.content_type = exposition::ContentType(wanted);
  std::unique_lock lock(cache.mu);
  // A page that was begun before this call could lack what happened before it: whoever comes while
  // one is being built shares the next.
  const std::uint64_t enough = cache.generation + (cache.building ? 2 : 1);
  while (cache.generation < enough) {
    if (cache.building) {
      cache.built.wait(lock);
      continue;
    }
    cache.building = true;
    lock.unlock();
    auto page = std::make_shared<const std::string>(app_metrics::BuildPage(*impl_, wanted.format));
    lock.lock();
    cache.page = std::move(page);
    cache.building = false;
    ++cache.generation;
    cache.built.notify_all();
  }
  result.body = cache.page;
  return result;
}

void AppMetrics::set_error_reporter(std::shared_ptr<app_metrics::ErrorReporter> reporter) {
  const std::lock_guard lock(impl_->reporter_mu);
  // A request may still be using the one before.
  if (impl_->reporter_owner) impl_->retired.push_back(std::move(impl_->reporter_owner));
  impl_->reporter_owner = std::move(reporter);
  impl_->reporter.store(impl_->reporter_owner.get(), std::memory_order_release);
}
app_metrics::ErrorReporter* AppMetrics::error_reporter() const {
  return impl_->reporter.load(std::memory_order_acquire);
}
void AppMetrics::report_exception(std::exception_ptr exception,
                                  const app_metrics::Request* request) {
  impl_->exceptions.Add(1);
  if (auto* r = error_reporter()) r->Exception(std::move(exception), request);
}
void AppMetrics::report_message(std::string_view level, std::string_view text) {
  if (auto* r = error_reporter()) r->Message(level, text, app_metrics::Request::Current());
}
void AppMetrics::breadcrumb(std::string_view category, std::string_view text) {
  if (auto* r = error_reporter()) r->Breadcrumb(category, text);
}

bool AppMetrics::flush_logs(std::chrono::milliseconds limit) {
  return impl_->log == nullptr || impl_->log->Flush(limit);
}
std::vector<std::string> AppMetrics::problems() const {
  const std::lock_guard lock(impl_->problems_mu);
  return impl_->problems;
}
const Options& AppMetrics::options() const { return impl_->options; }

}  // namespace millrace
