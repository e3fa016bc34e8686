#include "agent/sources/file/stall_guard.h"

#include <utility>

namespace millrace::agent {
namespace {

/// Periods without a window after which the thread goes to sleep.
constexpr int kQuietPeriods = 3;

}  // namespace

StallGuard::StallGuard(std::chrono::milliseconds period, std::function<void()> work)
    : period_(period),
      work_(std::move(work)),
      thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

StallGuard::~StallGuard() = default;

void StallGuard::Open() {
  windows_.fetch_add(1);
  if (asleep_.load()) {
    const std::lock_guard lock(sleep_mu_);
    asleep_.store(false);
    wake_.notify_one();
  }
  mu_.unlock();
}

void StallGuard::Close() {
  mu_.lock();
  windows_.fetch_add(1);
}

void StallGuard::Loop(const std::stop_token& stop) {
  std::uint64_t seen = 0;
  int quiet = 0;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(sleep_mu_);
      if (quiet >= kQuietPeriods) {
        asleep_.store(true);
        // A window opened just before the line above has not seen it.
        if (windows_.load() == seen) wake_.wait(lock, stop, [this] { return !asleep_.load(); });
        asleep_.store(false);
        quiet = 0;
      }
      wake_.wait_for(lock, stop, period_, [] { return false; });
    }
    if (stop.stop_requested()) return;
    const std::uint64_t now = windows_.load();
    if (now != std::exchange(seen, now)) {
      quiet = 0;
    } else if (now % 2 == 0) {
      ++quiet;
    } else {
      const std::lock_guard lock(mu_);
      if (windows_.load() == now) work_();
    }
  }
}

}  // namespace millrace::agent
