#pragma once
// When to try again.
#include <chrono>
#include <cstdint>
#include <stop_token>

namespace millrace::agent {

/// Exponential backoff with full jitter: each wait is drawn evenly from a tenth of the limit up to
/// the limit, which doubles from `first` to `most`. Full jitter, so that many agents that lost the
/// same server do not come back together. Not thread safe.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most,
          std::uint64_t seed = RandomSeed());
  /// The next wait.
  [[nodiscard]] std::chrono::milliseconds Next();
  void Reset() { failures_ = 0; }
  [[nodiscard]] unsigned failures() const { return failures_; }
  /// What Next() draws from now, for tests and logs.
  [[nodiscard]] std::chrono::milliseconds limit() const;
  [[nodiscard]] static std::uint64_t RandomSeed();

 private:
  std::chrono::milliseconds first_, most_;
  std::uint64_t state_;
  unsigned failures_ = 0;
};

/// False if `stop` fired before the time was over.
[[nodiscard]] bool SleepFor(const std::stop_token& stop, std::chrono::nanoseconds time);

/// Says whether an endpoint may be tried: after `threshold` failures in a row not for a while
/// (which grows), then one at a time until one succeeds. Not thread safe; time is given, so tests
/// need no sleep.
class Circuit {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Circuit(unsigned threshold = 1,
                   std::chrono::milliseconds first = std::chrono::milliseconds(1000),
                   std::chrono::milliseconds most = std::chrono::milliseconds(30'000),
                   std::uint64_t seed = Backoff::RandomSeed())
      : threshold_(threshold), backoff_(first, most, seed) {}
  /// Asking takes the single try of a half-open circuit.
  [[nodiscard]] bool Allow(Clock::time_point now);
  void Succeeded();
  void Failed(Clock::time_point now);
  [[nodiscard]] bool open() const { return failures_ >= threshold_; }
  /// When an open circuit may be tried again.
  [[nodiscard]] Clock::time_point retry_at() const { return retry_at_; }

 private:
  unsigned threshold_, failures_ = 0;
  bool trying_ = false;
  Backoff backoff_;
  Clock::time_point retry_at_{};
};

}  // namespace millrace::agent
