#pragma once
// A bounded map from text to a series that is never removed. Reading takes no lock; only the first
// use of a key does. When the table is full, a new key gets the overflow series.
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::app_metrics {

[[nodiscard]] inline std::uint64_t HashBytes(std::string_view s, std::uint64_t seed = 0) {
  std::uint64_t h = 0xcbf29ce484222325U ^ seed * 0x9e3779b97f4a7c15U;
  for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return h ^ h >> 29;
}

/// S needs `bool Is(Key) const`.
template <class S>
class SeriesTable {
 public:
  explicit SeriesTable(std::size_t limit) : limit_(limit), slots_(std::bit_ceil(limit * 2 + 2)) {}
  SeriesTable(const SeriesTable&) = delete;
  SeriesTable& operator=(const SeriesTable&) = delete;

  /// The series of `key`; made by `make()` on first use; nullptr when the table is full.
  template <class Key, class Make>
  S* Get(std::uint64_t hash, const Key& key, Make&& make) {
    if (S* s = Find(hash, key)) return s;
    if (size_.load(std::memory_order_acquire) >= limit_) return nullptr;
    const std::lock_guard lock(mu_);
    if (S* s = Find(hash, key)) return s;
    if (all_.size() >= limit_) return nullptr;
    all_.push_back(std::forward<Make>(make)());
    S* s = all_.back().get();
    for (std::size_t i = hash & Mask();; i = (i + 1) & Mask()) {
      if (slots_[i].load(std::memory_order_relaxed) != nullptr) continue;
      slots_[i].store(s, std::memory_order_release);
      break;
    }
    size_.store(all_.size(), std::memory_order_release);
    return s;
  }

  template <class Key>
  [[nodiscard]] S* Find(std::uint64_t hash, const Key& key) const {
    for (std::size_t i = hash & Mask();; i = (i + 1) & Mask()) {
      S* s = slots_[i].load(std::memory_order_acquire);
      if (s == nullptr || s->Is(key)) return s;
    }
  }

  template <class F>
  void ForEach(F&& f) const {
    std::vector<S*> list;
    {
      const std::lock_guard lock(mu_);
      list.reserve(all_.size());
      for (const auto& s : all_) list.push_back(s.get());
    }
    for (S* s : list) f(*s);
  }
  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  [[nodiscard]] std::size_t Mask() const { return slots_.size() - 1; }

  const std::size_t limit_;
  std::vector<std::atomic<S*>> slots_;
  std::atomic<std::size_t> size_{0};
  mutable std::mutex mu_;
  std::vector<std::unique_ptr<S>> all_;  // guarded by mu_
};

}  // namespace millrace::app_metrics
