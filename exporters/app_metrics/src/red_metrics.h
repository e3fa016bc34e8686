#pragma once
// Rate, errors and duration of HTTP requests, by method, route and status.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/app_metrics/src/routes.h"
#include "exporters/app_metrics/src/series_table.h"
#include "exporters/app_metrics/src/sharded.h"

namespace millrace::app_metrics {

/// A recent request of a bucket.
struct Exemplar {
  std::array<char, 64> id;  ///< longer ids are not kept: an exemplar has 128 characters in all
  std::uint8_t id_size = 0;
  bool is_trace = false;  ///< label trace_id, else request_id
  double value = 0;
  std::int64_t unix_ms = 0;
};

/// One exemplar a bucket. The writer that finds a slot busy, or younger than 100 ms, goes on.
class ExemplarSlots {
 public:
  explicit ExemplarSlots(std::size_t buckets) : slots_(std::make_unique<Slot[]>(buckets)) {}
  void Offer(std::size_t bucket, double value, std::string_view id, bool is_trace,
             std::int64_t unix_ms) const;
  /// False: none yet.
  bool Read(std::size_t bucket, Exemplar& out) const;

 private:
  struct Slot {
    std::atomic<std::int64_t> stamp{0};
    std::atomic_flag busy = ATOMIC_FLAG_INIT;
    Exemplar exemplar;  // guarded by busy
  };
  std::unique_ptr<Slot[]> slots_;
};

struct StatusSeries {
  StatusSeries(int code, const HistogramLayout& layout, unsigned shards, bool exemplars);
  const int status;  ///< 0: the statuses of a route beyond its 15th
  const std::string status_text;
  ShardedHistogram duration;
  ShardedSum untimed;  ///< Requests whose duration nobody knows.
  std::unique_ptr<ExemplarSlots> exemplars;
};

struct RouteKey {
  std::uint8_t method;
  bool https;
  std::string_view route;
};

class RouteSeries {
 public:
  RouteSeries(const RouteKey& key, const HistogramLayout& sizes, unsigned shards)
      : method(key.method),
        https(key.https),
        route(key.route),
        request_size(sizes, shards),
        response_size(sizes, shards) {}
  [[nodiscard]] bool Is(const RouteKey& k) const {
    return method == k.method && https == k.https && route == k.route;
  }

  const std::uint8_t method;
  const bool https;
  const std::string route;
  ShardedHistogram request_size, response_size;
  std::array<std::atomic<StatusSeries*>, 16> by_status{};
  std::mutex mu;
  std::vector<std::unique_ptr<StatusSeries>> owned;  // guarded by mu
};

struct RedOptions {
  std::vector<double> duration_buckets, size_buckets;
  bool native_histograms, exemplars, distinguish_https;
  std::size_t max_routes;
  unsigned shards;
};

/// Thread safe. Begin and Finish take no lock and allocate nothing once a route and status are
/// known.
class RedMetrics {
 public:
  explicit RedMetrics(const RedOptions& options);

  void Begin(std::uint8_t method) const { in_flight_[method].Add(1); }
  struct Outcome {
    RouteKey key;
    int status;
    std::uint64_t nanoseconds, bytes_in, bytes_out;
    std::string_view exemplar_id;
    bool exemplar_is_trace;
    std::int64_t unix_ms;  ///< 0 when there is no exemplar to keep
    bool timed = true;
  };
  /// Ends what Begin began.
  void Finish(const Outcome& outcome) {
    in_flight_[outcome.key.method].Sub(1);
    Record(outcome);
  }
  void Record(const Outcome& outcome);

  [[nodiscard]] const HistogramLayout& durations() const { return durations_; }
  [[nodiscard]] const HistogramLayout& sizes() const { return sizes_; }
  [[nodiscard]] std::int64_t InFlight(std::uint8_t method) const {
    return static_cast<std::int64_t>(in_flight_[method].Sum());
  }
  /// Requests that went into route="overflow".
  [[nodiscard]] std::uint64_t overflowed() const { return overflowed_.Sum(); }
  template <class F>
  void ForEachRoute(F&& f) const {
    routes_.ForEach(f);
    overflow_.ForEach(f);
  }

 private:
  StatusSeries& Status(RouteSeries& route, int status) const;

  const HistogramLayout durations_, sizes_;
  const bool exemplars_, distinguish_https_;
  const unsigned shards_;
  std::vector<ShardedSum> in_flight_;
  ShardedSum overflowed_;
  SeriesTable<RouteSeries> routes_;
  SeriesTable<RouteSeries> overflow_;  // one a method and scheme
};

}  // namespace millrace::app_metrics
