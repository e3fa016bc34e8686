#pragma once
// What the sidecar says about itself.
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include "exporters/app_metrics/sidecar/log_tail.h"
#include "exporters/app_metrics/sidecar/proxy.h"

namespace millrace::app_metrics::sidecar {

/// Either may be null; both must outlive this.
class SelfMetrics : public prometheus::Collectable {
 public:
  SelfMetrics(const Proxy* proxy, const LogTail* tail) : proxy_(proxy), tail_(tail) {}
  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Proxy* proxy_;
  const LogTail* tail_;
};

}  // namespace millrace::app_metrics::sidecar
