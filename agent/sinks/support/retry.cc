#include "agent/sinks/support/retry.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace millrace::agent {

Backoff::Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most,
                 std::uint64_t seed)
    : first_(first), most_(std::max(first, most)), state_(seed) {}

std::uint64_t Backoff::RandomSeed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

std::chrono::milliseconds Backoff::limit() const {
  const unsigned doublings = std::min(failures_, 20U);
  return std::min(most_, first_ * (std::int64_t{1} << doublings));
}

std::chrono::milliseconds Backoff::Next() {
  // splitmix64: small, and good enough for jitter.
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  const auto most = static_cast<std::uint64_t>(std::max<std::int64_t>(1, limit().count()));
  ++failures_;
  // Not below a tenth: a wait of nothing is a busy loop when the error comes at once.
  const std::uint64_t floor = most / 10;
  return std::chrono::milliseconds(floor + z % (most - floor + 1));
}

bool SleepFor(const std::stop_token& stop, std::chrono::nanoseconds time) {
  std::mutex mu;
  std::condition_variable_any wake;
  std::unique_lock lock(mu);
  wake.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

bool Circuit::Allow(Clock::time_point now) {
  if (!open()) return true;
  if (trying_ || now < retry_at_) return false;
  trying_ = true;
  return true;
}

void Circuit::Succeeded() {
  failures_ = 0;
  trying_ = false;
  backoff_.Reset();
}

void Circuit::Failed(Clock::time_point now) {
  trying_ = false;
  ++failures_;
  if (open()) retry_at_ = now + backoff_.Next();
}

}  // namespace millrace::agent
