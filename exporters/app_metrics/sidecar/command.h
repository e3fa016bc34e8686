#pragma once
// The command line of millrace-app-metrics.
#include <span>
#include <string>

namespace millrace::app_metrics::sidecar {

/// Runs until SIGTERM or SIGINT; the exit status.
[[nodiscard]] int Main(std::span<const std::string> args);

}  // namespace millrace::app_metrics::sidecar
