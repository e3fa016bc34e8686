#pragma once
// One request being served. Adapters for HTTP servers are written with this class alone: build it
// when the head of the request is known, Finish it when the response has been written.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "millrace/app_metrics/context.h"

namespace millrace {
class AppMetrics;
}

namespace millrace::app_metrics {

/// Views into the server's own data; read during the constructor only.
struct RequestHead {
  std::string_view method{};
  std::string_view target{};         ///< As on the request line: path and query.
  std::string_view peer{};           ///< Address of the other end of the connection.
  std::string_view request_id{};     ///< Header X-Request-ID.
  std::string_view traceparent{};    ///< Header traceparent.
  std::string_view forwarded_for{};  ///< Header X-Forwarded-For.
  bool https = false;
  /// Make this the current context of the thread until Finish. Switch off where one thread serves
  /// requests in turns, and use ContextScope there.
  bool bind_to_thread = true;
};

/// A request that somebody else served and measured, for AppMetrics::record.
struct FinishedRequest {
  std::string_view method;
  std::string_view path{};  ///< Without the query; decides the route when that is "".
  std::string_view route{};
  int status = 0;
  std::chrono::nanoseconds duration{-1};  ///< Negative: not known; counted, not timed.
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::string_view request_id{};  ///< For the exemplar.
  bool https = false;
};

/// Nothing here allocates, locks or throws. Not thread safe: one thread at a time.
class Request {
 public:
  Request(AppMetrics& metrics, const RequestHead& head);
  /// A request that was not finished counts as aborted: status 499.
  ~Request();
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  /// For response headers and calls to others.
  [[nodiscard]] const Context& context() const { return context_; }
  [[nodiscard]] std::string_view client_ip() const { return {ip_.data(), ip_size_}; }
  [[nodiscard]] std::string_view path() const;
  /// Path and query, secrets replaced by "***".
  [[nodiscard]] std::string_view target() const { return {target_.data(), target_size_}; }
  [[nodiscard]] std::string_view user() const { return {user_.data(), user_size_}; }
  [[nodiscard]] std::string_view method() const { return {method_.data(), method_size_}; }
  [[nodiscard]] std::string_view route() const { return {route_.data(), route_size_}; }

  /// The template that was matched ("/users/:id"). The last call wins; without any the declared
  /// routes of Options decide.
  void SetRoute(std::string_view route);
  /// For the log line and error reports; cut at 64 bytes.
  void SetUser(std::string_view user_id);
  /// What went wrong, for the log line (level error); cut at 256 bytes.
  void SetError(std::string_view error);
  /// Ends the measurement. `status` as sent; bytes of the bodies. Calls after the first do nothing.
  void Finish(int status, std::uint64_t bytes_in, std::uint64_t bytes_out);
  [[nodiscard]] bool finished() const { return finished_; }

  /// The request of this thread, or nullptr.
  [[nodiscard]] static Request* Current();

 private:
  friend struct AccessLine;
  AppMetrics& metrics_;
  Context context_;
  const Context* outer_context_ = nullptr;
  Request* outer_request_ = nullptr;
  std::chrono::steady_clock::time_point start_;
  std::array<char, 1024> target_;
  std::array<char, 200> route_;
  std::array<char, 64> user_;
  std::array<char, 256> error_;
  std::array<char, 46> ip_;
  std::array<char, 24> method_;
  std::uint16_t target_size_ = 0, path_size_ = 0, route_size_ = 0, user_size_ = 0, error_size_ = 0;
  std::uint8_t ip_size_ = 0, method_size_ = 0, method_index_ = 0;
  bool https_, bound_, finished_ = false;
};

}  // namespace millrace::app_metrics
