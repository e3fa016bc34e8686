#pragma once
// Puts everything an AppMetrics measures on a page, or into the families of prometheus-cpp.
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/metric_family.h>

#include "common/exposition/negotiate.h"
#include "common/exposition/writer.h"
#include "exporters/app_metrics/src/impl.h"

namespace millrace::app_metrics {

/// Receives families one after the other, in no particular order.
class FamilySink {
 public:
  using Labels = std::span<const exposition::Label>;
  using Type = exposition::MetricType;
  virtual ~FamilySink() = default;
  virtual void Family(std::string_view name, Type type, std::string_view help) = 0;
  virtual void Sample(Labels labels, double value) = 0;
  /// `slots` may be null.
  virtual void Histogram(Labels labels, const HistogramLayout& layout, const HistogramSnapshot& h,
                         const ExemplarSlots* slots) = 0;
};

/// Everything of ours, without the registry.
void WriteFamilies(AppMetrics::Impl& impl, FamilySink& sink);

/// The whole page in `format`: ours and the registry's.
[[nodiscard]] std::string BuildPage(AppMetrics::Impl& impl, exposition::Format format);

}  // namespace millrace::app_metrics
