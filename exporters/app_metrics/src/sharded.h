#pragma once
// Counters and histograms that many threads write without meeting: a thread adds to its own shard
// (a cache line of its own while there are no more threads than shards), the scraper sums them.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace millrace::app_metrics {

/// The shard of the calling thread, before reduction to a shard count.
[[nodiscard]] unsigned ThreadIndex();
/// `wanted` or, for 0, the processors of the machine; rounded up to a power of two, at most 16.
[[nodiscard]] unsigned ShardCount(unsigned wanted);

/// Cache-line aligned array of 64-bit words, zeroed.
class WordArray {
 public:
  explicit WordArray(std::size_t words);
  [[nodiscard]] std::atomic<std::uint64_t>& operator[](std::size_t i) const { return words_[i]; }

 private:
  struct Free {
    void operator()(std::atomic<std::uint64_t>* p) const;
  };
  std::unique_ptr<std::atomic<std::uint64_t>[], Free> words_;
};

/// A sum that may go up and down (in-flight requests); thread-safe, lock-free.
class ShardedSum {
 public:
  explicit ShardedSum(unsigned shards) : words_(std::size_t{shards} * 8), shards_(shards) {}
  void Add(std::uint64_t n) const {
    words_[std::size_t{ThreadIndex() & (shards_ - 1)} * 8].fetch_add(n, std::memory_order_relaxed);
  }
  void Sub(std::uint64_t n) const { Add(~n + 1); }
  /// Modulo 2^64: exact as a signed number even when one shard's part is negative.
  [[nodiscard]] std::uint64_t Sum() const;

 private:
  WordArray words_;
  unsigned shards_;
};

/// Upper bounds of a histogram's classic buckets, in the unit its users see, and what one raw unit
/// is worth: durations are recorded in nanoseconds with scale 1e-9.
struct HistogramLayout {
  /// Sorts, removes duplicates, infinities and NaN. At most 64 bounds are kept.
  HistogramLayout(std::vector<double> upper_bounds, double raw_scale, bool with_native);
  std::vector<double> bounds;
  std::vector<std::uint64_t> raw_bounds;
  double scale;
  bool native;
};

/// Native (exponential) buckets are those of schema 3: bucket i ends at 2^(i/8). What is kept runs
/// from 2^-14 s (61 us, below that is the zero bucket) to 2^7 s; longer lands in the last bucket.
inline constexpr int kNativeSchema = 3;
inline constexpr int kNativeFirst = -14 * 8 + 1;
inline constexpr int kNativeLast = 7 * 8;
inline constexpr std::size_t kNativeBuckets = kNativeLast - kNativeFirst + 1;
/// 2^-14.
inline constexpr double kNativeZeroThreshold = 1.0 / 16384;
/// Position of `value` (> kNativeZeroThreshold) among the kNativeBuckets.
[[nodiscard]] std::size_t NativeBucket(double value);

struct HistogramSnapshot {
  std::uint64_t count = 0;
  double sum = 0;
  std::vector<std::uint64_t> buckets;  ///< Not cumulative; one more than the bounds.
  std::uint64_t native_zero = 0;
  std::vector<std::uint64_t> native;  ///< kNativeBuckets, or empty.
};

class ShardedHistogram {
 public:
  ShardedHistogram(const HistogramLayout& layout, unsigned shards);
  /// Returns the classic bucket it fell into.
  std::size_t Observe(std::uint64_t raw) const;
  void Snapshot(HistogramSnapshot& out) const;
  [[nodiscard]] std::uint64_t Count() const;

 private:
  // Words of a shard: sum, classic buckets, native zero, native buckets.
  const HistogramLayout& layout_;
  std::size_t stride_;
  unsigned shards_;
  WordArray words_;
};

}  // namespace millrace::app_metrics
