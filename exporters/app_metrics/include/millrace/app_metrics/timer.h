#pragma once
// Measures one call to something the program depends on.
#include <chrono>
#include <string_view>

namespace millrace::app_metrics {

struct Operation;  // one series: dependency and operation
struct Internals;

/// Records the time from its construction to its end, once. Neither thread safe nor copyable.
class Timer {
 public:
  explicit Timer(Operation* operation);
  Timer(Timer&& other) noexcept;
  Timer& operator=(Timer&&) = delete;
  /// Stops. When an exception is on its way through the scope, the call failed: "exception".
  ~Timer();

  /// The call failed; `kind` is a word out of few ("timeout", "connection"). At most 16 kinds an
  /// operation, the rest count as "other". The first call counts.
  void fail(std::string_view kind);
  /// Ends the measurement before the end of the scope.
  void stop();

 private:
  Operation* operation_;
  std::chrono::steady_clock::time_point start_;
  int exceptions_;
  bool failed_ = false;
};

}  // namespace millrace::app_metrics
