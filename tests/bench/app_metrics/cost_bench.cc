// What the middleware costs, without a network: nanoseconds of CPU a request, page build time, log
// lines a second, and the growth with threads. cost_bench [seconds per measurement]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <time.h>

#include "millrace/app_metrics/app_metrics.h"

namespace {

std::atomic<long> allocations{0};

using millrace::AppMetrics;
using millrace::app_metrics::Options;
using millrace::app_metrics::Request;
using Clock = std::chrono::steady_clock;

double ThreadCpu() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void One(AppMetrics& m, const std::string& target) {
  Request r(m, {.method = "GET", .target = target, .peer = "127.0.0.1"});
  r.SetRoute("/users/:id");
  r.Finish(200, 0, 512);
}

// Nanoseconds of CPU a request; `allocated` counts new after the first request.
double CostOf(Options o, double& allocated) {
  AppMetrics m(std::move(o));
  const std::string target = "/users/42?page=3";
  for (int i = 0; i < 1000; ++i) One(m, target);
  constexpr int kRounds = 300'000;
  const long before = allocations;
  const double start = ThreadCpu();
  for (int i = 0; i < kRounds; ++i) One(m, target);
  const double ns = (ThreadCpu() - start) / kRounds * 1e9;
  allocated = static_cast<double>(allocations - before) / kRounds;
  return ns;
}

void Threads() {
  Options o;
  o.access_log.enabled = false;
  o.shards = 16;
  for (const int n : {1, 2, 4, 8, 16}) {
    AppMetrics m(o);
    One(m, "/users/1");
    std::vector<std::thread> threads;
    std::vector<double> cpu(static_cast<std::size_t>(n));
    for (int t = 0; t < n; ++t)
      threads.emplace_back([&, t] {
        const double start = ThreadCpu();
        for (int i = 0; i < 100'000; ++i) One(m, "/users/1");
        cpu[static_cast<std::size_t>(t)] = (ThreadCpu() - start) / 100'000 * 1e9;
      });
    for (auto& t : threads) t.join();
    double sum = 0;
    for (const double c : cpu) sum += c;
    std::printf("threads=%d cpu_ns_per_request=%.0f\n", n, sum / n);
  }
}

void Page() {
  Options o;
  o.access_log.enabled = false;
  AppMetrics m(o);
  for (int i = 0; i < 130; ++i) {
    Request r(m, {.method = "GET", .target = "/x"});
    r.SetRoute("/route/" + std::to_string(i));
    r.Finish(200, 100, 1000);
  }
  double best = 1e9;
  std::size_t lines = 0;
  for (int i = 0; i < 20; ++i) {
    const auto start = Clock::now();
    const auto page = m.page("");
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    lines = 0;
    for (const char c : *page.body) lines += c == '\n' ? 1 : 0;
  }
  std::printf("page_lines=%zu page_ms=%.2f\n", lines, best * 1e3);
}

void LogRate(const std::string& path) {
  Options o;
  o.access_log.path = path;
  o.access_log.queue_bytes = std::size_t{64} << 20;
  AppMetrics m(o);
  constexpr int kLines = 400'000;
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kLines / 2; ++i) One(m, "/users/42");
    });
  for (auto& t : threads) t.join();
  m.flush_logs(std::chrono::seconds(30));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const auto page = m.page("");
  const auto at = page.body->find("\napp_log_lines_total ");
  std::printf("log_lines_per_second=%.0f written=%s", kLines / seconds,
              page.body->substr(at + 21, page.body->find('\n', at + 1) - at - 20).c_str());
}

}  // namespace

void* operator new(std::size_t n) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(n)) return p;
  std::abort();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

int main() {
  double allocated = 0;
  Options metrics_only;
  metrics_only.access_log.enabled = false;
  double ns = CostOf(metrics_only, allocated);
  std::printf("metrics_only cpu_ns=%.0f allocations=%.3f (target 1000, 0)\n", ns, allocated);
  Options logged;
  logged.access_log.path = "/dev/null";
  ns = CostOf(logged, allocated);
  std::printf("with_access_log cpu_ns=%.0f allocations=%.3f (target 2500)\n", ns, allocated);
  Threads();
  Page();
  const char* dir = std::getenv("TMPDIR");
  const std::string path = std::string(dir != nullptr ? dir : "/tmp") + "/cost_bench.log";
  LogRate(path);
  std::remove(path.c_str());
  return 0;
}
