#include "exporters/app_metrics/src/dependencies.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace millrace::app_metrics {
namespace {

constexpr std::size_t kMaxOperations = 200, kMaxEvents = 100, kMaxNames = 50, kMaxNameBytes = 100;
constexpr std::string_view kOverflow = "overflow";

// One slot of each table is kept for the overflow series.
template <class S, class Make>
S* GetOrOverflow(SeriesTable<S>& table, std::string_view name, std::size_t limit, Make make) {
  name = name.substr(0, kMaxNameBytes);
  S* s = table.Find(HashBytes(name), name);
  if (s == nullptr && table.size() + 1 >= limit) name = kOverflow;
  if (s == nullptr) s = table.Get(HashBytes(name), name, [&] { return make(name); });
  return s != nullptr ? s : table.Find(HashBytes(kOverflow), kOverflow);
}

}  // namespace

Dependencies::Dependencies(const std::vector<double>& buckets, bool native, unsigned shards)
    : layout_(buckets, 1e-9, native),
      shards_(ShardCount(shards)),
      operations_(kMaxOperations + 1),
      events_(kMaxEvents),
      ups_(kMaxNames),
      pools_(kMaxNames) {}

Operation* Dependencies::Find(std::string_view dependency, std::string_view operation) {
  OperationKey key{dependency.substr(0, kMaxNameBytes), operation.substr(0, kMaxNameBytes)};
  const auto hash = [&] { return HashBytes(key.operation, HashBytes(key.dependency)); };
  Operation* found = operations_.Find(hash(), key);
  if (found != nullptr) return found;
  if (operations_.size() >= kMaxOperations) key = {kOverflow, kOverflow};
  const auto make = [&] { return std::make_unique<Operation>(key, layout_, shards_); };
  found = operations_.Get(hash(), key, make);
  if (found != nullptr) return found;
  key = {kOverflow, kOverflow};  // lost the race for the last slot but one
  return operations_.Find(hash(), key);
}

void Dependencies::Event(std::string_view name, bool success) {
  EventSeries* e = GetOrOverflow(events_, name, kMaxEvents, [&](std::string_view n) {
    return std::make_unique<EventSeries>(n, shards_);
  });
  if (e != nullptr) (success ? e->success : e->failure).Add(1);
}

void Dependencies::SetUp(std::string_view name, bool up) {
  UpState* u = GetOrOverflow(ups_, name, kMaxNames,
                             [](std::string_view n) { return std::make_unique<UpState>(n); });
  if (u != nullptr) u->up.store(up ? 1 : 0, std::memory_order_relaxed);
}

void Dependencies::SetPool(std::string_view name, std::size_t used, std::size_t idle,
                           std::size_t maximum) {
  PoolState* p = GetOrOverflow(pools_, name, kMaxNames,
                               [](std::string_view n) { return std::make_unique<PoolState>(n); });
  if (p == nullptr) return;
  p->used.store(used, std::memory_order_relaxed);
  p->idle.store(idle, std::memory_order_relaxed);
  p->maximum.store(maximum, std::memory_order_relaxed);
}

Timer::Timer(Operation* operation)
    : operation_(operation),
      start_(std::chrono::steady_clock::now()),
      exceptions_(std::uncaught_exceptions()) {}

Timer::Timer(Timer&& other) noexcept
    : operation_(std::exchange(other.operation_, nullptr)),
      start_(other.start_),
      exceptions_(other.exceptions_),
      failed_(other.failed_) {}

Timer::~Timer() {
  if (operation_ != nullptr && std::uncaught_exceptions() > exceptions_) fail("exception");
  stop();
}

void Timer::fail(std::string_view kind) {
  if (operation_ == nullptr || failed_) return;
  failed_ = true;
  kind = kind.substr(0, kMaxNameBytes);
  const ErrorKind* e = operation_->errors.Get(HashBytes(kind), kind, [&] {
    return std::make_unique<ErrorKind>(
        ErrorKind{std::string(kind), ShardedSum(operation_->shards)});
  });
  (e != nullptr ? e->count : operation_->other_errors).Add(1);
}

void Timer::stop() {
  if (operation_ == nullptr) return;
  const auto took = std::chrono::steady_clock::now() - start_;
  operation_->duration.Observe(static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::nanoseconds>(took).count())));
  operation_ = nullptr;
}

}  // namespace millrace::app_metrics
