#include "exporters/app_metrics/src/red_metrics.h"

#include <algorithm>
#include <cstring>

namespace millrace::app_metrics {
namespace {

constexpr std::int64_t kExemplarEveryMs = 100;
constexpr std::string_view kOverflow = "overflow";

std::uint64_t HashOf(const RouteKey& k) {
  return HashBytes(k.route, k.method * 2U + (k.https ? 1U : 0U) + 1);
}

}  // namespace

void ExemplarSlots::Offer(std::size_t bucket, double value, std::string_view id, bool is_trace,
                          std::int64_t unix_ms) const {
  Slot& slot = slots_[bucket];
  const std::int64_t stamp = slot.stamp.load(std::memory_order_relaxed);
  if (id.size() > slot.exemplar.id.size()) return;
  if (stamp != 0 && unix_ms - stamp < kExemplarEveryMs) return;
  if (slot.busy.test_and_set(std::memory_order_acquire)) return;
  Exemplar& e = slot.exemplar;
  e.id_size = static_cast<std::uint8_t>(std::min(id.size(), e.id.size()));
  std::memcpy(e.id.data(), id.data(), e.id_size);
  e.is_trace = is_trace;
  e.value = value;
  e.unix_ms = unix_ms;
  slot.stamp.store(unix_ms, std::memory_order_relaxed);
  slot.busy.clear(std::memory_order_release);
}

bool ExemplarSlots::Read(std::size_t bucket, Exemplar& out) const {
  Slot& slot = slots_[bucket];
  if (slot.stamp.load(std::memory_order_relaxed) == 0) return false;
  // A writer holds it for the copy of at most 128 bytes; one that was descheduled meanwhile costs
  // this exemplar, not the scrape.
  for (int tries = 0; tries < 1000; ++tries) {
    if (slot.busy.test_and_set(std::memory_order_acquire)) continue;
    out = slot.exemplar;
    slot.busy.clear(std::memory_order_release);
    return true;
  }
  return false;
}

StatusSeries::StatusSeries(int code, const HistogramLayout& layout, unsigned shards,
                           bool with_exemplars)
    : status(code),
      status_text(code == 0 ? "other" : std::to_string(code)),
      duration(layout, shards),
      untimed(shards) {
  if (with_exemplars) exemplars = std::make_unique<ExemplarSlots>(layout.bounds.size() + 1);
}

RedMetrics::RedMetrics(const RedOptions& o)
    : durations_(o.duration_buckets, 1e-9, o.native_histograms),
      sizes_(o.size_buckets, 1, false),
      exemplars_(o.exemplars),
      distinguish_https_(o.distinguish_https),
      shards_(ShardCount(o.shards)),
      overflowed_(shards_),
      routes_(o.max_routes),
      overflow_(std::size_t{kMethods} * 2) {
  for (std::uint8_t m = 0; m < kMethods; ++m) in_flight_.emplace_back(shards_);
}

void RedMetrics::Record(const Outcome& o) {
  RouteKey key = o.key;
  if (!distinguish_https_) key.https = false;
  const auto make = [&] { return std::make_unique<RouteSeries>(key, sizes_, shards_); };
  RouteSeries* route = routes_.Get(HashOf(key), key, make);
  if (route == nullptr) {
    overflowed_.Add(1);
    key.route = kOverflow;
    route = overflow_.Get(HashOf(key), key, make);
  }
  route->request_size.Observe(o.bytes_in);
  route->response_size.Observe(o.bytes_out);
  const StatusSeries& series = Status(*route, o.status);
  if (!o.timed) return series.untimed.Add(1);
  const std::size_t bucket = series.duration.Observe(o.nanoseconds);
  if (o.unix_ms != 0 && series.exemplars != nullptr)
    series.exemplars->Offer(bucket, static_cast<double>(o.nanoseconds) * 1e-9, o.exemplar_id,
                            o.exemplar_is_trace, o.unix_ms);
}

StatusSeries& RedMetrics::Status(RouteSeries& route, int status) const {
  if (status < 100 || status > 599) status = 0;
  for (const auto& slot : route.by_status) {
    const StatusSeries* s = slot.load(std::memory_order_acquire);
    if (s == nullptr) break;
    if (s->status == status) return *slot.load(std::memory_order_relaxed);
  }
  const std::lock_guard lock(route.mu);
  for (std::size_t i = 0; i < route.by_status.size(); ++i) {
    StatusSeries* s = route.by_status[i].load(std::memory_order_relaxed);
    const bool last = i + 1 == route.by_status.size();
    if (s != nullptr && (s->status == status || last)) return *s;
    if (s != nullptr) continue;
    route.owned.push_back(
        std::make_unique<StatusSeries>(last ? 0 : status, durations_, shards_, exemplars_));
    route.by_status[i].store(route.owned.back().get(), std::memory_order_release);
    return *route.owned.back();
  }
  return *route.owned.back();
}

}  // namespace millrace::app_metrics
