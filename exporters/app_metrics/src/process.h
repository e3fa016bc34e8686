#pragma once
// What the kernel says about this process.
#include <optional>

namespace millrace::app_metrics {

struct ProcessFacts {
  double cpu_seconds, start_time_seconds, resident_bytes, virtual_bytes, threads, open_fds, max_fds;
};
/// Reads /proc/self; nullopt where there is none.
[[nodiscard]] std::optional<ProcessFacts> ReadProcessFacts();

}  // namespace millrace::app_metrics
