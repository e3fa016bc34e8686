#pragma once
// Somebody has to keep an eye on the logs while the reader waits for a slow sink.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace millrace::agent {

/// Owns the lock under which one thread works all the time, but for the windows in which it waits
/// for others. When a window lasts longer than `period`, `work` runs under the lock, once a period,
/// on a thread of its own. That thread sleeps while no windows are opened: no wake-ups when idle.
class StallGuard {
 public:
  StallGuard(std::chrono::milliseconds period, std::function<void()> work);
  ~StallGuard();
  StallGuard(const StallGuard&) = delete;
  StallGuard& operator=(const StallGuard&) = delete;

  /// The working thread takes the lock for as long as it works.
  [[nodiscard]] std::unique_lock<std::mutex> Lock() { return std::unique_lock(mu_); }

  /// While it lives, the lock (held by the calling thread) is open for the guard.
  class Window {
   public:
    explicit Window(StallGuard& guard) : guard_(guard) { guard_.Open(); }
    ~Window() { guard_.Close(); }
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;

   private:
    StallGuard& guard_;
  };

 private:
  void Open();
  void Close();
  void Loop(const std::stop_token& stop);

  const std::chrono::milliseconds period_;
  const std::function<void()> work_;
  std::mutex mu_;                          ///< The state's.
  std::atomic<std::uint64_t> windows_{0};  ///< Odd while one is open.
  std::atomic<bool> asleep_{true};
  std::mutex sleep_mu_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace millrace::agent
