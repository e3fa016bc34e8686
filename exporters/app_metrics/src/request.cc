#include "millrace/app_metrics/request.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "exporters/app_metrics/src/ids.h"
#include "exporters/app_metrics/src/impl.h"

namespace millrace::app_metrics {
namespace {

thread_local const Context* current_context = nullptr;
thread_local Request* current_request = nullptr;

// Copies at most `to.size()` bytes and returns how many.
template <class Array>
std::size_t CopyInto(Array& to, std::string_view from) {
  const std::size_t n = std::min(to.size(), from.size());
  std::memcpy(to.data(), from.data(), n);
  return n;
}

}  // namespace

const Context* Context::Current() { return current_context; }
Request* Request::Current() { return current_request; }

ContextScope::ContextScope(const Context& context) : copy_(context), before_(current_context) {
  current_context = &copy_;
}
ContextScope::~ContextScope() { current_context = before_; }

Request::Request(AppMetrics& metrics, const RequestHead& head)
    : metrics_(metrics),
      start_(std::chrono::steady_clock::now()),
      https_(head.https),
      bound_(head.bind_to_thread) {
  AppMetrics::Impl& impl = Internals::Of(metrics_);
  method_index_ = MethodIndex(head.method);
  method_size_ = static_cast<std::uint8_t>(CopyInto(method_, head.method));
  const auto query = std::min(head.target.find('?'), head.target.size());
  path_size_ = static_cast<std::uint16_t>(std::min(query, target_.size()));
  target_size_ = static_cast<std::uint16_t>(
      query == head.target.size()
          ? CopyInto(target_, head.target)
          : impl.redactor.Apply(head.target.substr(0, 16384), target_.data(), target_.size()));
  ip_size_ = static_cast<std::uint8_t>(
      CopyInto(ip_, ClientIp(impl.trusted, head.peer, head.forwarded_for)));

  // The span of this request is new, its trace is the caller's when there is one.
  char* const parent = context_.traceparent_.data();
  const auto trace = head.traceparent.empty() ? std::nullopt : ParseTraceParent(head.traceparent);
  std::memcpy(parent, "00-", 3);
  if (trace) {
    std::memcpy(parent + 3, trace->trace_id.data(), 32);
  } else {
    if (!head.traceparent.empty()) impl.bad_traces.Add(1);
    WriteHex16(parent + 3, Random64() | 1);  // never all zero
    WriteHex16(parent + 19, Random64());
  }
  parent[35] = '-';
  WriteHex16(parent + 36, Random64() | 1);
  // Without a caller who decided, nobody has: not sampled.
  std::memcpy(parent + 52, trace && trace->sampled ? "-01" : "-00", 3);
  if (IsAcceptableRequestId(head.request_id)) {
    context_.id_size_ = CopyInto(context_.request_id_, head.request_id);
  } else {
    if (!head.request_id.empty()) impl.bad_ids.Add(1);
    // One id to search for where the caller brought none: the trace's.
    std::memcpy(context_.request_id_.data(), parent + 3, 32);
    context_.id_size_ = 32;
  }
  impl.red.Begin(method_index_);
  if (bound_) {
    outer_context_ = std::exchange(current_context, &context_);
    outer_request_ = std::exchange(current_request, this);
  }
}

Request::~Request() {
  if (finished_) return;
  Internals::Of(metrics_).aborted.Add(1);
  SetError("request was not finished");
  Finish(499, 0, 0);
}

std::string_view Request::path() const { return {target_.data(), path_size_}; }

void Request::SetRoute(std::string_view route) {
  route_size_ = static_cast<std::uint16_t>(CopyInto(route_, route));
}
void Request::SetUser(std::string_view id) {
  user_size_ = static_cast<std::uint16_t>(CopyInto(user_, id));
}
void Request::SetError(std::string_view error) {
  error_size_ = static_cast<std::uint16_t>(CopyInto(error_, error));
}

void Request::Finish(int status, std::uint64_t bytes_in, std::uint64_t bytes_out) {
  if (finished_) return;
  finished_ = true;
  AppMetrics::Impl& impl = Internals::Of(metrics_);
  if (bound_ && current_request == this) {
    current_request = outer_request_;
    current_context = outer_context_;
  }
  if (route_size_ == 0) {
    char scratch[kMaxRoute];
    SetRoute(impl.RouteOf(path(), scratch));
  }
  const auto took = std::chrono::steady_clock::now() - start_;
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));

  const AccessLogOptions& log = impl.options.access_log;
  const bool logged = impl.log != nullptr && std::find(log.skip_paths.begin(), log.skip_paths.end(),
                                                       path()) == log.skip_paths.end();
  std::int64_t unix_ms = 0;
  if (logged || impl.options.exemplars)
    unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                  std::chrono::system_clock::now().time_since_epoch())
                  .count();
  const bool sampled = context_.traceparent_[54] == '1';
  impl.red.Finish({{method_index_, https_, route()},
                   status,
                   ns,
                   bytes_in,
                   bytes_out,
                   sampled ? context_.trace_id() : context_.request_id(),
                   sampled,
                   impl.options.exemplars ? unix_ms : 0});
  if (logged) AccessLine::Write(impl, *this, status, ns, bytes_in, bytes_out, unix_ms);
  if (log.slow.count() > 0 && took >= log.slow) {
    impl.slow.Add(1);
    if (ErrorReporter* reporter = impl.reporter.load(std::memory_order_acquire))
      reporter->SlowRequest(*this, took, status);
  }
}

}  // namespace millrace::app_metrics
