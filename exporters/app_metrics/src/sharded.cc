#include "exporters/app_metrics/src/sharded.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <new>
#include <thread>

namespace millrace::app_metrics {
namespace {

constexpr std::size_t kLine = 64;

// 2^(k/8) / 2 for k = 1..8: where schema 3 divides the mantissas that frexp gives, [0.5, 1).
constexpr std::array<double, 8> kMantissa = {
    0.5452538663326288, 0.5946035575013605, 0.6484197773255048, 0.7071067811865475,
    0.7711054127039704, 0.8408964152537145, 0.9170040432046712, 1.0};

}  // namespace

unsigned ThreadIndex() {
  static std::atomic<unsigned> next{0};
  // constinit would make this a plain load; the guard costs one predictable branch.
  thread_local const unsigned index = next.fetch_add(1, std::memory_order_relaxed);
  return index;
}

unsigned ShardCount(unsigned wanted) {
  if (wanted == 0) wanted = std::max(1U, std::thread::hardware_concurrency());
  return std::min(16U, std::bit_ceil(wanted));
}

WordArray::WordArray(std::size_t words)
    : words_(static_cast<std::atomic<std::uint64_t>*>(
          ::operator new[](words * sizeof(std::uint64_t), std::align_val_t{kLine}))) {
  for (std::size_t i = 0; i < words; ++i) new (&words_[i]) std::atomic<std::uint64_t>(0);
}

void WordArray::Free::operator()(std::atomic<std::uint64_t>* p) const {
  ::operator delete[](p, std::align_val_t{kLine});
}

std::uint64_t ShardedSum::Sum() const {
  std::uint64_t sum = 0;
  for (unsigned s = 0; s < shards_; ++s)
    sum += words_[std::size_t{s} * 8].load(std::memory_order_relaxed);
  return sum;
}

HistogramLayout::HistogramLayout(std::vector<double> upper_bounds, double raw_scale,
                                 bool with_native)
    : bounds(std::move(upper_bounds)), scale(raw_scale), native(with_native) {
  std::erase_if(bounds, [](double b) { return !(b >= 0 && b < 1e18); });
  std::sort(bounds.begin(), bounds.end());
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  if (bounds.size() > 64) bounds.resize(64);
  for (const double b : bounds)
    raw_bounds.push_back(static_cast<std::uint64_t>(std::min(b / scale + 0.5, 9e18)));
}

std::size_t NativeBucket(double value) {
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);
  // `le` is inclusive: a mantissa of exactly 0.5 is the end of the bucket below.
  const auto* at = std::lower_bound(kMantissa.begin(), kMantissa.end(), mantissa);
  int index = (exponent - 1) * 8 + static_cast<int>(at - kMantissa.begin()) + 1;
  if (mantissa == 0.5) index = (exponent - 1) * 8;
  return static_cast<std::size_t>(std::clamp(index, kNativeFirst, kNativeLast) - kNativeFirst);
}

ShardedHistogram::ShardedHistogram(const HistogramLayout& layout, unsigned shards)
    : layout_(layout),
      stride_((1 + layout.bounds.size() + 1 + (layout.native ? 1 + kNativeBuckets : 0) + 7) & ~7U),
      shards_(shards),
      words_(stride_ * shards) {}

std::size_t ShardedHistogram::Observe(std::uint64_t raw) const {
  const std::size_t base = stride_ * (ThreadIndex() & (shards_ - 1));
  const std::size_t n = layout_.raw_bounds.size();
  std::size_t bucket = 0;
  while (bucket < n && raw > layout_.raw_bounds[bucket]) ++bucket;
  words_[base].fetch_add(raw, std::memory_order_relaxed);
  words_[base + 1 + bucket].fetch_add(1, std::memory_order_relaxed);
  if (layout_.native) {
    const double value = static_cast<double>(raw) * layout_.scale;
    const std::size_t at = value <= kNativeZeroThreshold ? n + 2 : n + 3 + NativeBucket(value);
    words_[base + at].fetch_add(1, std::memory_order_relaxed);
  }
  return bucket;
}

void ShardedHistogram::Snapshot(HistogramSnapshot& out) const {
  const std::size_t n = layout_.bounds.size();
  out.buckets.assign(n + 1, 0);
  out.native.assign(layout_.native ? kNativeBuckets : 0, 0);
  out.native_zero = 0;
  std::uint64_t sum = 0;
  for (unsigned s = 0; s < shards_; ++s) {
    const std::size_t base = stride_ * s;
    sum += words_[base].load(std::memory_order_relaxed);
    for (std::size_t b = 0; b <= n; ++b)
      out.buckets[b] += words_[base + 1 + b].load(std::memory_order_relaxed);
    if (!layout_.native) continue;
    out.native_zero += words_[base + n + 2].load(std::memory_order_relaxed);
    for (std::size_t b = 0; b < kNativeBuckets; ++b)
      out.native[b] += words_[base + n + 3 + b].load(std::memory_order_relaxed);
  }
  out.sum = static_cast<double>(sum) * layout_.scale;
  // The count is the sum of what was read, so that a page never contradicts itself.
  out.count = 0;
  for (const std::uint64_t b : out.buckets) out.count += b;
}

std::uint64_t ShardedHistogram::Count() const {
  std::uint64_t count = 0;
  for (unsigned s = 0; s < shards_; ++s)
    for (std::size_t b = 0; b <= layout_.bounds.size(); ++b)
      count += words_[stride_ * s + 1 + b].load(std::memory_order_relaxed);
  return count;
}

}  // namespace millrace::app_metrics
