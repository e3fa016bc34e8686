#pragma once
// What becomes of events that a transform could not handle: marked, dropped or routed, and counted.
#include <memory>
#include <string>
#include <string_view>

#include "agent/core/event.h"
#include "agent/core/metrics.h"
#include "agent/transforms/parse/parser.h"

namespace millrace::agent {

class FailurePolicy {
 public:
  FailurePolicy(OnFailure on_failure, const std::string& error_field,
                std::shared_ptr<Metrics> metrics);
  /// `why` is a constant.
  void Fail(EventBatch& batch, std::size_t i, const char* why);
  /// Adds what failed since the last call to the counters, and says so in the log at most once in
  /// 10 s with an example; once a batch.
  void Count();

 private:
  OnFailure on_failure_;
  std::string_view error_field_;
  std::shared_ptr<Metrics> metrics_;
  std::size_t failed_ = 0;
  std::string sample_;         ///< Start of the first text that failed since the last line of log,
  const char* why_ = nullptr;  ///< and why.
};

/// Lists `on_failure` and `error_field`.
void VisitFailure(config::Visitor& v, OnFailure& on_failure, std::string& error_field);

}  // namespace millrace::agent
