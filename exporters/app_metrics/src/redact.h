#pragma once
// Secrets in query strings.
#include <string>
#include <string_view>
#include <vector>

#include "exporters/app_metrics/src/text.h"

namespace millrace::app_metrics {

/// Thread-safe after construction.
class Redactor {
 public:
  explicit Redactor(const std::vector<std::string>& words);
  /// True when a parameter of this name may hold a secret. Percent-encoded names are decoded.
  [[nodiscard]] bool IsSecret(std::string_view name) const;
  /// `target` with the values of secret parameters replaced by "***", into `out`.
  /// Returns the bytes written, at most `room`.
  std::size_t Apply(std::string_view target, char* out, std::size_t room) const;

 private:
  std::vector<std::string> words_;  // lower case
};

}  // namespace millrace::app_metrics
