#pragma once
// Asynchronous, bounded writer of whole lines. Put never waits: a line that finds no room, or no
// free buffer at the first try, is dropped and counted.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/fd.h"

namespace millrace::app_metrics {

/// Thread safe. Lines of one thread keep their order unless its buffer is contended.
class LogWriter {
 public:
  /// `path` is appended to and reopened after a rotation; "" is standard output. When it cannot
  /// be opened, standard error is written instead and `problem` says why.
  LogWriter(std::string path, std::size_t queue_bytes, std::string& problem);
  /// Writes what is queued, at most 2 s.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// `line` without its newline.
  void Put(std::string_view line);
  bool Flush(std::chrono::milliseconds limit);

  [[nodiscard]] std::uint64_t written() const { return written_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t dropped_queue_full() const {
    return dropped_full_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t dropped_write_failed() const {
    return dropped_write_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr std::size_t kShards = 8;
  struct alignas(64) Shard {
    std::mutex mu;
    std::string lines;        // guarded by mu
    std::uint64_t count = 0;  // lines in `lines`; guarded by mu
    std::uint64_t total = 0;  // lines ever; guarded by mu
  };
  [[nodiscard]] std::uint64_t Accepted() const;
  void Run();
  bool Drain(std::string& spare);
  bool WriteOut(std::string_view bytes);
  void ReopenIfRotated();

  const std::string path_;
  const std::size_t shard_limit_;
  Fd file_;
  int fd_;
  bool regular_ = false;
  std::unique_ptr<Shard[]> shards_;
  std::atomic<std::uint64_t> written_{0}, dropped_full_{0}, dropped_write_{0};
  std::atomic<bool> asleep_{false}, urgent_{false};
  std::mutex mu_;
  std::condition_variable wake_, flushed_;
  bool stop_ = false;                                // guarded by mu_
  std::uint64_t settled_ = 0;                        // lines written or given up; guarded by mu_
  std::chrono::steady_clock::time_point give_up_{};  // guarded by mu_ until stop_ is seen
  std::chrono::steady_clock::time_point next_rotation_check_{};
  std::jthread thread_;
};

}  // namespace millrace::app_metrics
