#pragma once
// Calls to databases and the like, pools, and business events.
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/app_metrics/src/series_table.h"
#include "exporters/app_metrics/src/sharded.h"
#include "millrace/app_metrics/timer.h"

namespace millrace::app_metrics {

struct OperationKey {
  std::string_view dependency, operation;
};

struct ErrorKind {
  std::string kind;
  ShardedSum count;
  [[nodiscard]] bool Is(std::string_view k) const { return kind == k; }
};

struct Operation {
  Operation(const OperationKey& key, const HistogramLayout& layout, unsigned shard_count)
      : dependency(key.dependency),
        operation(key.operation),
        shards(shard_count),
        duration(layout, shard_count),
        other_errors(shard_count),
        errors(15) {}
  [[nodiscard]] bool Is(const OperationKey& k) const {
    return dependency == k.dependency && operation == k.operation;
  }
  const std::string dependency, operation;
  const unsigned shards;
  ShardedHistogram duration;
  ShardedSum other_errors;
  SeriesTable<ErrorKind> errors;
};

struct EventSeries {
  EventSeries(std::string_view n, unsigned shards) : name(n), success(shards), failure(shards) {}
  [[nodiscard]] bool Is(std::string_view k) const { return name == k; }
  const std::string name;
  ShardedSum success, failure;
};

struct UpState {
  explicit UpState(std::string_view n) : name(n) {}
  [[nodiscard]] bool Is(std::string_view k) const { return name == k; }
  const std::string name;
  std::atomic<int> up{0};
};

struct PoolState {
  explicit PoolState(std::string_view n) : name(n) {}
  [[nodiscard]] bool Is(std::string_view k) const { return name == k; }
  const std::string name;
  std::atomic<std::size_t> used{0}, idle{0}, maximum{0};
};

/// Thread safe; no lock once a name is known. Names beyond the limits share "overflow".
class Dependencies {
 public:
  Dependencies(const std::vector<double>& buckets, bool native, unsigned shards);
  [[nodiscard]] Operation* Find(std::string_view dependency, std::string_view operation);
  void Event(std::string_view name, bool success);
  void SetUp(std::string_view name, bool up);
  void SetPool(std::string_view name, std::size_t used, std::size_t idle, std::size_t maximum);

  [[nodiscard]] const HistogramLayout& layout() const { return layout_; }
  [[nodiscard]] const SeriesTable<Operation>& operations() const { return operations_; }
  [[nodiscard]] const SeriesTable<EventSeries>& events() const { return events_; }
  [[nodiscard]] const SeriesTable<UpState>& ups() const { return ups_; }
  [[nodiscard]] const SeriesTable<PoolState>& pools() const { return pools_; }

 private:
  const HistogramLayout layout_;
  const unsigned shards_;
  SeriesTable<Operation> operations_;
  SeriesTable<EventSeries> events_;
  SeriesTable<UpState> ups_;
  SeriesTable<PoolState> pools_;
};

}  // namespace millrace::app_metrics
