#pragma once
// Threads that start when work waits for them and leave when there was none for a while.
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace millrace::http {

/// Thread safe. T is what a worker is given.
template <class T>
class WorkerPool {
 public:
  WorkerPool(std::size_t most, std::chrono::milliseconds idle, std::function<void(T)> work)
      : most_(most), idle_limit_(idle), work_(std::move(work)) {}
  ~WorkerPool() { Stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void Post(T item) {
    const std::lock_guard lock(mu_);
    queue_.push_back(std::move(item));
    if (idle_ < queue_.size() && running_.size() < most_) {
      running_.emplace_back();
      const auto self = std::prev(running_.end());
      *self = std::thread([this, self] { Run(self); });
    }
    wake_.notify_one();
  }

  /// Joins the threads that have left. Cheap when there are none.
  void Reap() {
    std::list<std::thread> left;
    {
      const std::lock_guard lock(mu_);
      left.swap(left_);
    }
    for (std::thread& t : left) t.join();
  }

  /// Drops what is queued, waits for what runs.
  void Stop() {
    {
      const std::lock_guard lock(mu_);
      stopping_ = true;
      queue_.clear();
    }
    wake_.notify_all();
    std::unique_lock lock(mu_);
    gone_.wait(lock, [&] { return running_.empty(); });
    lock.unlock();
    Reap();
  }

 private:
  void Run(typename std::list<std::thread>::iterator self) {
    std::unique_lock lock(mu_);
    for (;;) {
      ++idle_;
      const bool woken =
          wake_.wait_for(lock, idle_limit_, [&] { return stopping_ || !queue_.empty(); });
      --idle_;
      if (stopping_ || !woken) break;
      T item = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work_(std::move(item));
      lock.lock();
    }
    left_.splice(left_.end(), running_, self);
    gone_.notify_all();
  }

  const std::size_t most_;
  const std::chrono::milliseconds idle_limit_;
  const std::function<void(T)> work_;
  std::mutex mu_;
  std::condition_variable wake_, gone_;
  std::deque<T> queue_;
  std::list<std::thread> running_, left_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace millrace::http
