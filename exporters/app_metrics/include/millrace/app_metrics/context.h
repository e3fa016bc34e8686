#pragma once
// Who is being served: the ids of the request at hand, for log lines, outgoing calls and error
// reports. A Context is a plain value; copy it into work that another thread or a coroutine
// continues, and put a ContextScope around that work.
#include <array>
#include <cstddef>
#include <string_view>

namespace millrace::app_metrics {

class Context {
 public:
  [[nodiscard]] std::string_view request_id() const { return {request_id_.data(), id_size_}; }
  /// 32 hex digits.
  [[nodiscard]] std::string_view trace_id() const { return {traceparent_.data() + 3, 32}; }
  /// The span of this request: 16 hex digits.
  [[nodiscard]] std::string_view span_id() const { return {traceparent_.data() + 36, 16}; }
  /// What to send along with calls that serve this request (W3C trace context).
  [[nodiscard]] std::string_view traceparent() const { return {traceparent_.data(), 55}; }

  /// The context of this thread, or nullptr outside of a request.
  [[nodiscard]] static const Context* Current();

 private:
  friend class Request;
  friend class ContextScope;
  std::array<char, 128> request_id_;
  std::array<char, 55> traceparent_;
  std::size_t id_size_ = 0;
};

/// Makes a copy of `context` the current one of this thread until destroyed. Scopes nest.
class ContextScope {
 public:
  explicit ContextScope(const Context& context);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  Context copy_;
  const Context* before_;
};

}  // namespace millrace::app_metrics
