#include "exporters/app_metrics/src/log_writer.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporters/app_metrics/src/sharded.h"

namespace millrace::app_metrics {
namespace {

// Between looks at the buffers while lines come in, and how long without lines until the thread
// sleeps for good: an idle process is not woken 50 times a second.
constexpr std::chrono::milliseconds kPeriod{20};
constexpr int kIdlePeriods = 50;

Fd OpenForAppend(const std::string& path) {
  return Fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
}

}  // namespace

LogWriter::LogWriter(std::string path, std::size_t queue_bytes, std::string& problem)
    : path_(std::move(path)),
      // One buffer fills while the other is written.
      shard_limit_(std::max<std::size_t>(queue_bytes / kShards / 2, 16384)),
      fd_(STDOUT_FILENO),
      shards_(std::make_unique<Shard[]>(kShards)) {
  if (!path_.empty()) {
    file_ = OpenForAppend(path_);
    if (!file_) problem = "access_log.path " + path_ + ": " + std::strerror(errno);
    fd_ = file_ ? file_.get() : STDERR_FILENO;
  }
  struct stat st{};
  regular_ = ::fstat(fd_, &st) == 0 && S_ISREG(st.st_mode);
  thread_ = std::jthread([this] { Run(); });
}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mu_);
    stop_ = true;
    give_up_ = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  }
  wake_.notify_all();
}

void LogWriter::Put(std::string_view line) {
  const unsigned first = ThreadIndex();
  // A full or busy buffer is no reason to lose the line: the next one may have room.
  for (unsigned i = 0; i < kShards * 2; ++i) {
    Shard& shard = shards_[(first + i) % kShards];
    std::unique_lock lock(shard.mu, std::try_to_lock);
    if (!lock.owns_lock() || shard.lines.size() + line.size() + 1 > shard_limit_) continue;
    shard.lines += line;
    shard.lines += '\n';
    ++shard.count;
    ++shard.total;
    const bool half = shard.lines.size() > shard_limit_ / 2;
    lock.unlock();
    if (asleep_.load(std::memory_order_seq_cst) ||
        (half && !urgent_.load(std::memory_order_relaxed))) {
      urgent_.store(true, std::memory_order_relaxed);
      if (asleep_.exchange(false)) {
        // Taking the lock orders this with the wait; the writer holds it for no system call.
        {
          const std::lock_guard wake(mu_);
        }
      }
      wake_.notify_one();
    }
    return;
  }
  dropped_full_.fetch_add(1, std::memory_order_relaxed);
}

bool LogWriter::Flush(std::chrono::milliseconds limit) {
  const std::uint64_t target = Accepted();
  std::unique_lock lock(mu_);
  urgent_ = true;
  asleep_ = false;
  wake_.notify_one();
  return flushed_.wait_for(lock, limit, [&] { return settled_ >= target; });
}

std::uint64_t LogWriter::Accepted() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].mu);
    sum += shards_[i].total;
  }
  return sum;
}

void LogWriter::Run() {
  // A reader that went away is an error of write(2), not the end of the process.
  sigset_t pipe_signal;
  ::sigemptyset(&pipe_signal);
  ::sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
  std::string spare;
  int idle = 0;
  for (;;) {
    bool stopping = false;
    {
      std::unique_lock lock(mu_);
      const auto ready = [&] { return stop_ || urgent_.load(std::memory_order_relaxed); };
      if (idle < kIdlePeriods) {
        wake_.wait_for(lock, kPeriod, ready);
      } else {
        asleep_.store(true, std::memory_order_seq_cst);
        // A line put in before asleep_ was set is found here; its successor sees asleep_.
        wake_.wait(lock, [&] { return ready() || !asleep_.load() || Accepted() > settled_; });
        asleep_.store(false);
        idle = 0;
      }
      urgent_ = false;
      stopping = stop_;
    }
    ReopenIfRotated();
    idle = Drain(spare) ? 0 : idle + 1;
    if (stopping) return;
  }
}

bool LogWriter::Drain(std::string& spare) {
  bool any = false;
  for (std::size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    std::uint64_t count = 0;
    spare.clear();
    {
      const std::lock_guard lock(shard.mu);
      if (shard.lines.empty()) continue;
      shard.lines.swap(spare);
      count = std::exchange(shard.count, 0);
    }
    any = true;
    (WriteOut(spare) ? written_ : dropped_write_).fetch_add(count, std::memory_order_relaxed);
    const std::lock_guard lock(mu_);
    settled_ += count;
    flushed_.notify_all();
  }
  return any;
}

bool LogWriter::WriteOut(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!regular_) {
      // A pipe that poll calls writable takes PIPE_BUF bytes without blocking, so that a reader
      // who stalls can never hold up the end of the process.
      pollfd p{fd_, POLLOUT, 0};
      const int ready = ::poll(&p, 1, 100);
      if (ready == 0 || (ready < 0 && errno == EINTR)) {
        const std::lock_guard lock(mu_);
        if (stop_ && std::chrono::steady_clock::now() > give_up_) return false;
        continue;
      }
    }
    const ssize_t n = ::write(fd_, bytes.data(),
                              regular_ ? bytes.size() : std::min<std::size_t>(bytes.size(), 4096));
    if (n < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void LogWriter::ReopenIfRotated() {
  if (path_.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_rotation_check_) return;
  next_rotation_check_ = now + std::chrono::seconds(1);
  struct stat by_name{}, open_one{};
  if (file_ && ::stat(path_.c_str(), &by_name) == 0 && ::fstat(fd_, &open_one) == 0 &&
      by_name.st_ino == open_one.st_ino && by_name.st_dev == open_one.st_dev)
    return;
  Fd fresh = OpenForAppend(path_);
  if (!fresh) return;  // the old file keeps taking lines
  file_ = std::move(fresh);
  fd_ = file_.get();
  regular_ = ::fstat(fd_, &open_one) == 0 && S_ISREG(open_one.st_mode);
}

}  // namespace millrace::app_metrics
