#include "agent/core/metrics.h"

#include <list>
#include <map>
#include <mutex>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace millrace::agent {

using LabelList = std::vector<std::pair<std::string, std::string>>;

struct MetricsRegistry::Impl {
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  std::mutex mu;
  std::list<std::function<void()>> refresh;
  void Refresh();

  static prometheus::Labels ToMap(const LabelList& labels) {
    return {labels.begin(), labels.end()};
  }
};

void Counter::Add(double n) const {
  if (impl_ != nullptr) impl_->Increment(n);
}
double Counter::value() const { return impl_ != nullptr ? impl_->Value() : 0; }
void Gauge::Set(double v) const {
  if (impl_ != nullptr) impl_->Set(v);
}
void Gauge::Add(double n) const {
  if (impl_ != nullptr) impl_->Increment(n);
}
double Gauge::value() const { return impl_ != nullptr ? impl_->Value() : 0; }
void Histogram::Observe(double v) const {
  if (impl_ != nullptr) impl_->Observe(v);
}

MetricsRegistry::MetricsRegistry() : impl_(std::make_shared<Impl>()) {}
MetricsRegistry::~MetricsRegistry() = default;

Counter MetricsRegistry::GetCounter(std::string_view name, std::string_view help,
                                    const LabelList& labels) {
  auto& family = prometheus::BuildCounter()
                     .Name("millrace_" + std::string(name))
                     .Help(std::string(help))
                     .Register(impl_->registry);
  return Counter(&family.Add(Impl::ToMap(labels)));
}

Gauge MetricsRegistry::GetGauge(std::string_view name, std::string_view help,
                                const LabelList& labels) {
  auto& family = prometheus::BuildGauge()
                     .Name("millrace_" + std::string(name))
                     .Help(std::string(help))
                     .Register(impl_->registry);
  return Gauge(&family.Add(Impl::ToMap(labels)));
}

Histogram MetricsRegistry::GetHistogram(std::string_view name, std::string_view help,
                                        const std::vector<double>& bounds,
                                        const LabelList& labels) {
  auto& family = prometheus::BuildHistogram()
                     .Name("millrace_" + std::string(name))
                     .Help(std::string(help))
                     .Register(impl_->registry);
  return Histogram(&family.Add(Impl::ToMap(labels), bounds));
}

void MetricsRegistry::RemoveGauge(std::string_view name, const LabelList& labels) {
  auto& family =
      prometheus::BuildGauge().Name("millrace_" + std::string(name)).Register(impl_->registry);
  family.Remove(&family.Add(Impl::ToMap(labels)));
}

std::shared_ptr<void> MetricsRegistry::OnScrape(std::function<void()> refresh) {
  const std::lock_guard lock(impl_->mu);
  const auto at = impl_->refresh.insert(impl_->refresh.end(), std::move(refresh));
  return {nullptr, [impl = impl_, at](void*) {
            const std::lock_guard gone(impl->mu);
            impl->refresh.erase(at);
          }};
}

void MetricsRegistry::Impl::Refresh() {
  const std::lock_guard lock(mu);
  for (const auto& f : refresh) f();
}

std::string MetricsRegistry::Expose() {
  impl_->Refresh();
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

std::vector<MetricsRegistry::Sample> MetricsRegistry::Samples() {
  impl_->Refresh();
  std::vector<Sample> out;
  for (const auto& family : impl_->registry.Collect()) {
    for (const auto& metric : family.metric) {
      LabelList labels;
      for (const auto& label : metric.label) labels.emplace_back(label.name, label.value);
      double value = 0;
      switch (family.type) {
        case prometheus::MetricType::Counter:
          value = metric.counter.value;
          break;
        case prometheus::MetricType::Gauge:
          value = metric.gauge.value;
          break;
        case prometheus::MetricType::Histogram:
          value = static_cast<double>(metric.histogram.sample_count);
          break;
        default:
          break;
      }
      out.push_back({family.name, std::move(labels), value});
    }
  }
  return out;
}

Metrics::Metrics(MetricsRegistry& registry, std::string id, std::string kind, std::string type)
    : registry_(registry), id_(std::move(id)), kind_(std::move(kind)), type_(std::move(type)) {
  received_events =
      GetCounter("component_received_events_total", "Events that came into the component.");
  received_bytes =
      GetCounter("component_received_bytes_total", "Bytes of input that came into the component.");
  sent_events = GetCounter("component_sent_events_total", "Events that the component passed on.");
  sent_bytes = GetCounter("component_sent_bytes_total", "Bytes that the component passed on.");
}

LabelList Metrics::With(Labels labels) const {
  LabelList all = {{"component_id", id_}, {"component_kind", kind_}, {"component_type", type_}};
  for (const auto& [name, value] : labels) all.emplace_back(name, value);
  return all;
}

Counter Metrics::Discarded(std::string_view reason, bool intentional) {
  return GetCounter("component_discarded_events_total",
                    "Events that ended in the component: drops that the configuration asks for "
                    "(intentional) and dead letters.",
                    {{"intentional", intentional ? "true" : "false"}, {"reason", reason}});
}

Counter Metrics::Errors(std::string_view error_type) {
  return GetCounter("component_errors_total", "Errors by kind.", {{"error_type", error_type}});
}

Counter Metrics::GetCounter(std::string_view name, std::string_view help, Labels labels) {
  return registry_.GetCounter(name, help, With(labels));
}
Gauge Metrics::GetGauge(std::string_view name, std::string_view help, Labels labels) {
  return registry_.GetGauge(name, help, With(labels));
}
void Metrics::RemoveGauge(std::string_view name, Labels labels) {
  registry_.RemoveGauge(name, With(labels));
}
Histogram Metrics::GetHistogram(std::string_view name, std::string_view help,
                                const std::vector<double>& bounds, Labels labels) {
  return registry_.GetHistogram(name, help, bounds, With(labels));
}

}  // namespace millrace::agent
