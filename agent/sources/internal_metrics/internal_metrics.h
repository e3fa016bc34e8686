#pragma once
// Source `internal_metrics`: the agent's own metrics as events, for a place that no Prometheus
// scrapes. One event a series: {"name", "value", "tags": {...}, "timestamp"}.
#include <chrono>
#include <memory>

#include "agent/core/component.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct InternalMetricsConfig {
  std::chrono::milliseconds scrape_interval{15'000};
};
void Visit(config::Visitor& v, InternalMetricsConfig& c);
[[nodiscard]] Result<std::unique_ptr<Source>> MakeInternalMetrics(
    const InternalMetricsConfig& config, const Context& context);

}  // namespace millrace::agent
