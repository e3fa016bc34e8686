#pragma once
// When a probe has to be over. Every wait of this program takes one.
#include <chrono>

namespace millrace::uptime_probe {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

/// 0 when the deadline has passed.
[[nodiscard]] inline std::chrono::milliseconds Remaining(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return left.count() > 0 ? left : std::chrono::milliseconds(0);
}

[[nodiscard]] inline double SecondsBetween(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace millrace::uptime_probe
