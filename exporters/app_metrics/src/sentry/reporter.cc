// Collects reports on the threads of the program and sends them on a thread of its own.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <typeinfo>

#include <cxxabi.h>
#include <unistd.h>

#include "exporters/app_metrics/src/ids.h"
#include "exporters/app_metrics/src/sentry/crash.h"
#include "exporters/app_metrics/src/sentry/dsn.h"
#include "exporters/app_metrics/src/sentry/event.h"
#include "exporters/app_metrics/src/sentry/rate_limit.h"
#include "exporters/app_metrics/src/sentry/spool.h"
#include "exporters/app_metrics/src/sentry/transport.h"
#include "millrace/app_metrics/request.h"
#include "millrace/app_metrics/sentry.h"

namespace millrace::app_metrics {
namespace sentry {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kCrumbs = 30, kTextLimit = 8192;
constexpr std::chrono::seconds kFirstBackoff{1}, kLongestBackoff{60};

double UnixSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The crumbs of a thread, each with the request it belongs to.
struct CrumbRing {
  struct Entry {
    std::string request_id;
    Crumb crumb;
  };
  std::deque<Entry> entries;
};
thread_local CrumbRing crumbs;

void DescribeRequest(const Request* r, bool with_ip, Event& e) {
  const Context* c = r != nullptr ? &r->context() : Context::Current();
  if (c != nullptr) {
    e.request_id = c->request_id();
    e.trace_id = c->trace_id();
    e.span_id = c->span_id();
  }
  for (const auto& entry : crumbs.entries)
    if (entry.request_id.empty() || entry.request_id == e.request_id)
      e.crumbs.push_back(entry.crumb);
  if (r == nullptr) return;
  e.method = r->method();
  e.url = r->target();
  e.user_id = r->user();
  if (with_ip) e.client_ip = r->client_ip();
  if (!r->route().empty()) e.transaction = std::string(r->method()) + " " + std::string(r->route());
}

void DescribeException(const std::exception_ptr& exception, Event& e) {
  e.exception_type = "unknown";
  if (!exception) return;
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& x) {
    e.exception_value = std::string_view(x.what()).substr(0, kTextLimit);
  } catch (...) {
  }
  // libstdc++ and libc++ both tell the type of an exception_ptr only while it is being handled.
  try {
    std::rethrow_exception(exception);
  } catch (...) {
    if (const std::type_info* type = abi::__cxa_current_exception_type()) {
      int status = 0;
      const std::unique_ptr<char, decltype(&std::free)> name(
          abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
      e.exception_type = status == 0 && name ? name.get() : type->name();
    }
  }
  RawStack stack;
  if (StackOfThrow(exception, stack))
    for (std::size_t i = 0; i < stack.size; ++i)
      e.addresses.push_back(reinterpret_cast<std::uint64_t>(stack.addresses[i]));
}

class Reporter : public ErrorReporter {
 public:
  Reporter(SentryOptions options, const Dsn& dsn, EventDefaults defaults,
           std::optional<Spool> spool)
      : options_(std::move(options)),
        defaults_(std::move(defaults)),
        spool_(std::move(spool)),
        transport_(dsn, options_.compression, options_.timeout, options_.ca_file) {
    if (spool_) spooled_ = spool_->Count();
    worker_ = std::thread([this] { Run(); });
  }

  ~Reporter() override {
    ForgetGlobal();
    {
      const std::lock_guard lock(mu_);
      stop_ = true;
      transport_.GiveUpAt(Clock::now() + options_.shutdown_limit);
    }
    wake_.notify_all();
    worker_.join();
  }

  void Exception(std::exception_ptr exception, const Request* request) override {
    if (!Sampled(options_.sample_rate)) return;
    Event e = Start("error");
    DescribeRequest(request, options_.send_client_ip, e);
    DescribeException(exception, e);
    Enqueue(std::move(e));
  }

  void Message(std::string_view level, std::string_view text, const Request* request) override {
    if (!Sampled(options_.sample_rate)) return;
    const bool known = level == "debug" || level == "info" || level == "warning" ||
                       level == "error" || level == "fatal";
    Event e = Start(known ? level : "error");
    DescribeRequest(request, options_.send_client_ip, e);
    e.message = text.substr(0, kTextLimit);
    RawStack stack;
    CaptureStack(stack, __builtin_return_address(0));
    for (std::size_t i = 0; i < stack.size; ++i)
      e.addresses.push_back(reinterpret_cast<std::uint64_t>(stack.addresses[i]));
    Enqueue(std::move(e));
  }

  void SlowRequest(const Request& request, std::chrono::nanoseconds took, int status) override {
    if (!Sampled(options_.slow_request_sample_rate)) return;
    Event e = Start("warning");
    DescribeRequest(&request, options_.send_client_ip, e);
    // The same text for the same route, so that the server makes one issue of them.
    e.message = "Slow request: " + e.transaction;
    e.extra["seconds"] = std::to_string(std::chrono::duration<double>(took).count());
    e.extra["status"] = std::to_string(status);
    Enqueue(std::move(e));
  }

  void Breadcrumb(std::string_view category, std::string_view text) override {
    const Context* c = Context::Current();
    if (crumbs.entries.size() >= kCrumbs) crumbs.entries.pop_front();
    crumbs.entries.push_back(
        {c != nullptr ? std::string(c->request_id()) : std::string(),
         {std::string(category.substr(0, 100)), std::string(text.substr(0, 1000)), UnixSeconds()}});
  }

  bool Flush(std::chrono::milliseconds limit) override {
    std::unique_lock lock(mu_);
    retry_now_ = true;
    wake_.notify_all();
    return settled_.wait_for(lock, limit, [&] { return queue_.empty() && !busy_; });
  }

  [[nodiscard]] ReporterCounts Counts() const override {
    ReporterCounts c;
    c.sent = sent_;
    c.dropped_queue_full = full_;
    c.dropped_rate_limited = limited_;
    c.dropped_sampled = sampled_out_;
    c.dropped_rejected = rejected_;
    c.dropped_network = network_;
    c.dropped_spool_full = spool_full_;
    c.spooled = spooled_;
    return c;
  }

  /// Takes part in std::terminate; does not return to the caller's exception.
  void Terminating() {
    Event e = Start("fatal");
    DescribeRequest(Request::Current(), options_.send_client_ip, e);
    e.mechanism = "terminate";
    DescribeException(std::current_exception(), e);
    if (e.addresses.empty()) {
      RawStack stack;
      CaptureStack(stack, __builtin_return_address(0));
      for (std::size_t i = 0; i < stack.size; ++i)
        e.addresses.push_back(reinterpret_cast<std::uint64_t>(stack.addresses[i]));
    }
    Enqueue(std::move(e));
    Flush(options_.shutdown_limit);
  }

  Status HandleCrashes();
  void SendCrashesOfBefore() {
    for (Event& e : CollectCrashes(options_.spool_dir)) {
      e.id = NewEventId();
      Enqueue(std::move(e));
    }
  }

 private:
  static Event Start(std::string_view level) {
    Event e;
    e.id = NewEventId();
    e.unix_seconds = UnixSeconds();
    e.level = level;
    return e;
  }

  bool Sampled(double rate) {
    const double dice = static_cast<double>(Random64() >> 11) * 0x1p-53;
    if (dice < rate) return true;
    ++sampled_out_;
    return false;
  }

  void Enqueue(Event event) {
    {
      const std::lock_guard lock(mu_);
      if (queue_.size() >= options_.queue) {
        ++full_;
        return;
      }
      queue_.push_back(std::move(event));
    }
    wake_.notify_one();
  }

  void Run() {
    std::unique_lock lock(mu_);
    for (;;) {
      // While the server is away, a spool takes new reports at once; without one they wait here.
      const auto may_send = [&] { return retry_now_ || Clock::now() >= next_try_; };
      const auto work = [&] {
        return stop_ || retry_now_ || (!queue_.empty() && (spool_ || may_send()));
      };
      if (!work()) {
        const bool waiting = spooled_ > 0 || !queue_.empty();
        if (waiting)
          wake_.wait_until(lock, std::max(next_try_, unspool_at_), work);
        else
          wake_.wait(lock, work);
      }
      const bool stopping = stop_;
      const bool online = may_send() || stopping;
      if (retry_now_) retry_now_ = false;
      std::deque<Event> batch;
      batch.swap(queue_);
      busy_ = true;
      lock.unlock();
      std::deque<Event> left = Handle(std::move(batch), online);
      if (online && !stopping && spooled_ > 0 && Clock::now() >= unspool_at_) Unspool();
      lock.lock();
      // What could not go yet stands before what came meanwhile.
      while (!left.empty()) {
        if (queue_.size() >= options_.queue) {
          full_ += left.size();
          break;
        }
        queue_.push_front(std::move(left.back()));
        left.pop_back();
      }
      busy_ = false;
      settled_.notify_all();
      if (stopping) {
        network_ += queue_.size();
        return;
      }
    }
  }

  // Sends or spools; returns what has to wait.
  std::deque<Event> Handle(std::deque<Event> batch, bool online) {
    while (!batch.empty()) {
      if (limits_.Active(Clock::now())) {
        limited_ += batch.size();
        return {};
      }
      const std::string envelope = ToEnvelope(batch.front(), defaults_);
      if (online && Send(envelope)) {
        batch.pop_front();
        continue;
      }
      online = false;
      if (!spool_) return batch;
      const auto removed = spool_->Add(batch.front().id, envelope);
      spool_full_ += removed ? *removed : 1;
      spooled_ = spool_->Count();
      batch.pop_front();
    }
    return {};
  }

  // False when the server could not be reached.
  bool Send(const std::string& envelope) {
    const Reply reply = transport_.Post(envelope);
    if (reply.status == 0) {
      backoff_ = std::min(backoff_ * 2, std::chrono::milliseconds(kLongestBackoff));
      next_try_ = Clock::now() + backoff_;
      return false;
    }
    backoff_ = kFirstBackoff / 2;
    next_try_ = {};
    limits_.Update(reply.status, reply.retry_after, reply.rate_limits, Clock::now());
    // A server that answered has decided: sending the same again would only add to its load.
    ++(reply.status < 300 ? sent_ : reply.status == 429 ? limited_ : rejected_);
    return true;
  }

  void Unspool() {
    while (!limits_.Active(Clock::now()) && !StopRequested()) {
      const auto item = spool_->Oldest();
      if (!item || !Send(item->envelope)) break;
      spool_->Remove(*item);
    }
    spooled_ = spool_->Count();
    // Away again, or limited: not at once.
    unspool_at_ = Clock::now() + kFirstBackoff;
  }

  bool StopRequested() {
    const std::lock_guard lock(mu_);
    return stop_;
  }

  void ForgetGlobal();

  const SentryOptions options_;
  const EventDefaults defaults_;
  std::optional<Spool> spool_;  // of the worker
  Transport transport_;         // of the worker
  RateLimits limits_;           // of the worker
  std::chrono::milliseconds backoff_{kFirstBackoff / 2};
  Clock::time_point unspool_at_{};  // of the worker
  Clock::time_point next_try_{};    // of the worker, read under mu_ by the worker only
  std::atomic<std::uint64_t> sent_{0}, full_{0}, limited_{0}, sampled_out_{0}, rejected_{0},
      network_{0}, spool_full_{0}, spooled_{0};
  std::mutex mu_;
  std::condition_variable wake_, settled_;
  std::deque<Event> queue_;                               // guarded by mu_
  bool stop_ = false, busy_ = false, retry_now_ = false;  // guarded by mu_
  std::thread worker_;
};

std::atomic<Reporter*> terminate_reporter{nullptr};
std::terminate_handler terminate_before = nullptr;

[[noreturn]] void OnTerminate() {
  if (Reporter* r = terminate_reporter.exchange(nullptr)) r->Terminating();
  IgnoreAbort();
  if (terminate_before != nullptr) terminate_before();
  std::abort();
}

Status Reporter::HandleCrashes() {
  Reporter* nobody = nullptr;
  if (!terminate_reporter.compare_exchange_strong(nobody, this))
    return Fail(ErrorCode::kInvalidArgument, "another reporter handles crashes already");
  terminate_before = std::set_terminate(&OnTerminate);
  if (options_.spool_dir.empty())
    return Fail(ErrorCode::kInvalidArgument, "signals need a spool_dir; terminate is handled");
  return InstallCrashHandlers(options_.spool_dir);
}

void Reporter::ForgetGlobal() {
  Reporter* self = this;
  if (!terminate_reporter.compare_exchange_strong(self, nullptr)) return;
  std::set_terminate(terminate_before);
  RemoveCrashHandlers();
}

std::string OrEnvironment(std::string value, const char* name, const char* otherwise) {
  if (!value.empty()) return value;
  const char* text = std::getenv(name);
  return text != nullptr && *text != 0 ? text : otherwise;
}

std::string HostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace
}  // namespace sentry

std::shared_ptr<ErrorReporter> MakeSentryReporter(SentryOptions options, std::string* problem) {
  const auto tell = [&](const std::string& text) {
    if (problem != nullptr)
      *problem = text;
    else
      std::fprintf(stderr, "millrace::SentryReporter: %s\n", text.c_str());
  };
  options.dsn = sentry::OrEnvironment(options.dsn, "SENTRY_DSN", "");
  if (options.dsn.empty()) return nullptr;
  const auto dsn = sentry::ParseDsn(options.dsn);
  if (!dsn) {
    tell(dsn.error().message);
    return nullptr;
  }
  sentry::EventDefaults defaults;
  defaults.dsn = options.dsn;
  defaults.environment = sentry::OrEnvironment(options.environment, "APP_ENV", "production");
  defaults.release = sentry::OrEnvironment(options.release, "APP_VERSION", "");
  defaults.server_name = options.server_name.empty() ? sentry::HostName() : options.server_name;
  defaults.tags = options.tags;
  std::optional<sentry::Spool> spool;
  if (!options.spool_dir.empty()) {
    auto opened = sentry::Spool::Open(options.spool_dir, options.spool_bytes, options.spool_files);
    if (opened)
      spool = std::move(*opened);
    else
      tell("spool_dir: " + opened.error().message);
  }
  const bool crashes = options.handle_crashes, has_spool = spool.has_value();
  auto reporter =
      std::make_shared<sentry::Reporter>(std::move(options), *dsn, defaults, std::move(spool));
  if (has_spool) reporter->SendCrashesOfBefore();
  if (crashes)
    if (const Status s = reporter->HandleCrashes(); !s)
      tell("handle_crashes: " + s.error().message);
  return reporter;
}

}  // namespace millrace::app_metrics
