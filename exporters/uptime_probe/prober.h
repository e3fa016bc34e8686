#pragma once
// The contract of a prober: it asks one target once, by a deadline, and says what it saw.
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/log/log.h"
#include "exporters/uptime_probe/config.h"
#include "exporters/uptime_probe/io/deadline.h"

namespace millrace::exposition {
class MetricWriter;
}

namespace millrace::uptime_probe {

/// The gauges of one probe. Names, help and label names are constants of the program.
class MetricSet {
 public:
  using LabelPair = std::pair<std::string_view, std::string_view>;

  /// A gauge without labels, 0 until it is set. A second declaration changes nothing.
  void Declare(std::string_view name, std::string_view help);
  /// A gauge with labels: it appears once a sample is set.
  void DeclareVector(std::string_view name, std::string_view help);
  /// Of a declared name.
  void Set(std::string_view name, double value) { Sample(name, {}) = value; }
  void Add(std::string_view name, double value) { Sample(name, {}) += value; }
  void Set(std::string_view name, std::initializer_list<LabelPair> labels, double value) {
    Sample(name, {labels.begin(), labels.end()}) = value;
  }
  void Add(std::string_view name, std::initializer_list<LabelPair> labels, double value) {
    Sample(name, {labels.begin(), labels.end()}) += value;
  }
  void Set(std::string_view name, const std::vector<LabelPair>& labels, double value) {
    Sample(name, labels) = value;
  }
  /// The value of a gauge without labels, or 0.
  [[nodiscard]] double Get(std::string_view name) const;
  void Write(exposition::MetricWriter& out) const;
  /// Text format 0.0.4, families sorted by name.
  [[nodiscard]] std::string Text() const;

 private:
  struct Series {
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
  };
  struct Family {
    std::string_view name, help;
    std::vector<Series> series;
  };
  double& Sample(std::string_view name, const std::vector<LabelPair>& labels);
  std::vector<Family> families_;
};

/// The log of one probe: kept for the debug page and, line by line, written to standard error.
class ProbeLog {
 public:
  /// `level` is --log.prober. The references must outlive the log.
  ProbeLog(log::Level level, const std::string& module, const std::string& target)
      : level_(level), module_(module), target_(target) {}
  [[nodiscard]] bool debug() const { return level_ == log::Level::kDebug; }
  void Debug(std::string_view message, log::Fields fields = {},
             log::Where where = log::Where::Here()) {
    if (debug()) Write(log::Level::kDebug, message, fields, where);
  }
  void Info(std::string_view message, log::Fields fields = {},
            log::Where where = log::Where::Here()) {
    Write(log::Level::kInfo, message, fields, where);
  }
  void Warn(std::string_view message, log::Fields fields = {},
            log::Where where = log::Where::Here()) {
    Write(log::Level::kWarn, message, fields, where);
  }
  void Error(std::string_view message, log::Fields fields = {},
             log::Where where = log::Where::Here()) {
    Write(log::Level::kError, message, fields, where);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void Write(log::Level level, std::string_view message, log::Fields fields, log::Where where);
  log::Level level_;
  const std::string& module_;
  const std::string& target_;
  std::string text_;
};

/// What holds for every probe of a process.
struct ProbeOptions {
  bool additional_metrics = false;  ///< Also the series that the original does not have.
  bool refuse_internal_targets = false;
};

/// One probe while it runs. Not shared between threads.
struct ProbeContext {
  const Module& module;
  const std::string& target;
  Deadline deadline;
  const ProbeOptions& options;
  MetricSet& metrics;
  ProbeLog& log;
  /// Why it failed, for probe_failure_info; a word of a short list (docs/uptime-probe.md).
  std::string_view reason;

  /// Logs the failure and sets the reason (unless one is set, or to "timeout" for that error).
  bool FailWith(std::string_view why, std::string_view message, const Error& error,
                log::Where where = log::Where::Here());
  bool FailWith(std::string_view why, std::string_view message, log::Fields fields = {},
                log::Where where = log::Where::Here());
};

/// Returns whether the target is well. Everything it waits for ends by `context.deadline`.
using ProbeFunction = bool (*)(ProbeContext& context);

struct ProberEntry {
  std::string_view name, summary;
  ProbeFunction probe;
};

/// Every prober, in a fixed order.
[[nodiscard]] const std::vector<ProberEntry>& Probers();
/// Null when there is no prober of that name.
[[nodiscard]] ProbeFunction FindProber(std::string_view name);

}  // namespace millrace::uptime_probe
