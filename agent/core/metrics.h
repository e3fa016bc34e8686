#pragma once
// The agent's own metrics. Components ask for their counters when they are made and add to them
// once a batch, never once an event. prometheus-cpp keeps and exposes them; its headers stay in the
// .cc.
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace millrace::agent {

/// Handles; copyable, valid as long as the Metrics that made them. Thread safe.
class Counter {
 public:
  explicit Counter(prometheus::Counter* impl = nullptr) : impl_(impl) {}
  void Add(double n = 1) const;
  [[nodiscard]] double value() const;

 private:
  prometheus::Counter* impl_;
};
class Gauge {
 public:
  explicit Gauge(prometheus::Gauge* impl = nullptr) : impl_(impl) {}
  void Set(double v) const;
  void Add(double n) const;
  [[nodiscard]] double value() const;

 private:
  prometheus::Gauge* impl_;
};
class Histogram {
 public:
  explicit Histogram(prometheus::Histogram* impl = nullptr) : impl_(impl) {}
  void Observe(double v) const;

 private:
  prometheus::Histogram* impl_;
};

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// All metrics of the process. Names are given without the "millrace_" prefix.
class MetricsRegistry {
 public:
  MetricsRegistry();
  ~MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  Counter GetCounter(std::string_view name, std::string_view help,
                     const std::vector<std::pair<std::string, std::string>>& labels);
  Gauge GetGauge(std::string_view name, std::string_view help,
                 const std::vector<std::pair<std::string, std::string>>& labels);
  Histogram GetHistogram(std::string_view name, std::string_view help,
                         const std::vector<double>& bounds,
                         const std::vector<std::pair<std::string, std::string>>& labels);
  void RemoveGauge(std::string_view name,
                   const std::vector<std::pair<std::string, std::string>>& labels);
  /// `refresh` runs before each exposition, for gauges that are read, not pushed, as long as the
  /// handle that comes back lives.
  [[nodiscard]] std::shared_ptr<void> OnScrape(std::function<void()> refresh);
  /// Prometheus text format 0.0.4.
  [[nodiscard]] std::string Expose();
  /// name{labels} -> value, for the terminal summary and tests.
  struct Sample {
    std::string name;
    std::vector<std::pair<std::string, std::string>> labels;
    double value;
  };
  [[nodiscard]] std::vector<Sample> Samples();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Metrics of one component: every series carries component_id, component_kind and component_type.
class Metrics {
 public:
  Metrics(MetricsRegistry& registry, std::string id, std::string kind, std::string type);

  /// Of what came in and what went out. The topology counts for transforms; sources and sinks count
  /// themselves, because only they know.
  Counter received_events, received_bytes, sent_events, sent_bytes;

  /// Events that ended here. `intentional`: the user asked for the drop; false means they went to
  /// the dead letters. `reason` is one of a small fixed set. Cached: cheap to call once a batch.
  Counter Discarded(std::string_view reason, bool intentional);
  /// `error_type` is one of a small fixed set (parse_failed, connection_failed, request_failed
  /// ...).
  Counter Errors(std::string_view error_type);
  Counter GetCounter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge GetGauge(std::string_view name, std::string_view help, Labels labels = {});
  void RemoveGauge(std::string_view name, Labels labels);
  Histogram GetHistogram(std::string_view name, std::string_view help,
                         const std::vector<double>& bounds, Labels labels = {});
  [[nodiscard]] MetricsRegistry& registry() { return registry_; }
  /// The component's name.
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> With(Labels labels) const;
  MetricsRegistry& registry_;
  std::string id_, kind_, type_;
};

}  // namespace millrace::agent
