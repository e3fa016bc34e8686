#pragma once
// What the exporter says about itself: build, process, HTTP handler.
#include <atomic>
#include <cstdint>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"

namespace millrace::node {

/// Counts of the metrics handler. Thread safe.
struct HandlerCounts {
  std::atomic<std::uint64_t> ok{0}, internal_error{0}, unavailable{0}, bad_request{0};
  std::atomic<std::int64_t> in_flight{0};
};

/// node_exporter_build_info, always present.
void WriteBuildInfo(MetricWriter& out);
/// promhttp_metric_handler_*: the names dashboards know from client_golang.
void WriteHandlerCounts(const HandlerCounts& counts, MetricWriter& out);

/// process_*, as client_golang's process collector names them. Always of our own /proc.
class ProcessMetrics {
 public:
  void Write(MetricWriter& out);

 private:
  FileReader files_;
  DirList descriptors_;
  double boot_time_ = 0;
};

/// "millrace-node-exporter 0.1.0 ..." for --version.
[[nodiscard]] std::string VersionText();

}  // namespace millrace::node
