#include "exporters/app_metrics/src/health_registry.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <thread>
#include <utility>

#include "exporters/app_metrics/src/text.h"

namespace millrace::app_metrics {

using Clock = std::chrono::steady_clock;

// One check and its thread. The thread owns a share, so that a check which never returns can be
// abandoned without pulling memory from under it.
struct HealthRegistry::Worker {
  HealthCheck check;
  mutable std::mutex mu;
  std::condition_variable wake, ended;
  bool stop = false, done = false, running = false;
  Clock::time_point started{};
  CheckState state = CheckState::kPending;
  std::string message;
  double last_seconds = 0;
  std::uint64_t runs = 0, failures = 0;
  int failed_in_a_row = 0;
  std::thread thread;

  static CheckResult RunOnce(const HealthCheck& check, Clock::time_point deadline) {
    try {
      CheckResult r = check.run(deadline);
      if (Clock::now() > deadline) return CheckResult::Failed("timed out");
      return r;
    } catch (const std::exception& e) {
      return CheckResult::Failed(e.what());
    } catch (...) {
      return CheckResult::Failed("threw something that is no std::exception");
    }
  }

  void Settle(const CheckResult& r) {
    if (r.ok) {
      failed_in_a_row = 0;
      state = CheckState::kOk;
      message.clear();
      return;
    }
    ++failures;
    ++failed_in_a_row;
    if (state != CheckState::kOk || failed_in_a_row >= check.failures) state = CheckState::kFailed;
    message = r.message;
  }

  static void Loop(const std::shared_ptr<Worker>& self) {
    std::unique_lock lock(self->mu);
    while (!self->stop) {
      self->started = Clock::now();
      self->running = true;
      lock.unlock();
      const CheckResult r = RunOnce(self->check, self->started + self->check.timeout);
      lock.lock();
      self->running = false;
      ++self->runs;
      self->last_seconds = std::chrono::duration<double>(Clock::now() - self->started).count();
      self->Settle(r);
      self->wake.wait_for(lock, self->check.interval, [&] { return self->stop; });
    }
    self->done = true;
    self->ended.notify_all();
  }

  CheckStatus Status() const {
    const std::lock_guard lock(mu);
    CheckStatus s{check.name, check.required, state, message, last_seconds, runs, failures};
    // The answer on file is older than the run that hangs: the run decides.
    if (running && Clock::now() > started + check.timeout) {
      s.state = CheckState::kFailed;
      s.message = "timed out";
    }
    return s;
  }
};

HealthRegistry::HealthRegistry(HealthOptions options, std::string version)
    : options_(options), version_(std::move(version)) {}

HealthRegistry::~HealthRegistry() {
  const std::lock_guard lock(mu_);
  for (const auto& w : workers_) {
    const std::lock_guard inner(w->mu);
    w->stop = true;
    w->wake.notify_all();
  }
  for (const auto& w : workers_) {
    std::unique_lock inner(w->mu);
    const bool done = w->ended.wait_for(inner, w->check.timeout + std::chrono::milliseconds(500),
                                        [&] { return w->done; });
    inner.unlock();
    if (done)
      w->thread.join();
    else
      w->thread.detach();
  }
}

std::string HealthRegistry::Add(HealthCheck check) {
  if (check.name.empty() || check.name == "status" || check.name == "version" ||
      check.name == "details")
    return "health check needs a name other than \"\", status, version and details";
  if (!check.run) return "health check " + check.name + " has nothing to run";
  check.interval = std::max(check.interval, std::chrono::milliseconds(10));
  check.timeout = std::max(check.timeout, std::chrono::milliseconds(1));
  const std::lock_guard lock(mu_);
  for (const auto& w : workers_)
    if (w->check.name == check.name) return "health check " + check.name + " was added twice";
  auto worker = std::make_shared<Worker>();
  worker->check = std::move(check);
  worker->thread = std::thread([worker] { Worker::Loop(worker); });
  workers_.push_back(std::move(worker));
  return {};
}

std::vector<CheckStatus> HealthRegistry::Statuses() const {
  const std::lock_guard lock(mu_);
  std::vector<CheckStatus> out;
  for (const auto& w : workers_) out.push_back(w->Status());
  return out;
}

HealthReport HealthRegistry::Live() const { return {200, "{\"status\":\"ok\"}\n"}; }
HealthReport HealthRegistry::Report() const { return Render(false); }
HealthReport HealthRegistry::Ready(bool draining) const { return Render(draining); }

HealthReport HealthRegistry::Render(bool draining) const {
  const std::vector<CheckStatus> statuses = Statuses();
  bool failed = false, pending = false, degraded = false;
  for (const CheckStatus& s : statuses) {
    if (s.state == CheckState::kOk) continue;
    if (!s.required)
      degraded = true;
    else if (s.state == CheckState::kPending)
      pending = true;
    else
      failed = true;
  }
  const std::string_view status = failed     ? "error"
                                  : draining ? "draining"
                                  : pending  ? "starting"
                                  : degraded ? "degraded"
                                             : "ok";
  HealthReport report;
  report.http_status = failed || pending || draining ? options_.failure_status : 200;
  std::string& out = report.body;
  out = "{\"status\":";
  AppendJsonString(out, status);
  out += ",\"version\":";
  AppendJsonString(out, version_);
  for (const CheckStatus& s : statuses) {
    out += ',';
    AppendJsonString(out, s.name);
    out += s.state == CheckState::kOk       ? ":\"ok\""
           : s.state == CheckState::kFailed ? ":\"failed\""
                                            : ":\"pending\"";
  }
  if (options_.show_details) {
    out += ",\"details\":{";
    bool first = true;
    for (const CheckStatus& s : statuses) {
      if (!std::exchange(first, false)) out += ',';
      AppendJsonString(out, s.name);
      out += ":{\"required\":";
      out += s.required ? "true" : "false";
      out += ",\"seconds\":" + std::to_string(s.last_seconds) + ",\"message\":";
      AppendJsonString(out, s.message);
      out += '}';
    }
    out += '}';
  }
  out += "}\n";
  return report;
}

}  // namespace millrace::app_metrics
