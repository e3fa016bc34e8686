#include "agent/sources/kafka/handoff.h"

#include <utility>
#include <vector>

namespace millrace::agent::kafka {

void Handoff::Push(std::unique_ptr<EventBatch> batch) {
  // A batch that is not taken is destroyed outside the lock: that runs acknowledgements.
  {
    const std::lock_guard lock(mu_);
    if (closed_) return;
    bytes_ += batch->Footprint();
    batches_.push_back(std::move(batch));
  }
  ready_.notify_one();
}

bool Handoff::Full() const {
  const std::lock_guard lock(mu_);
  return bytes_ >= max_bytes_;
}

bool Handoff::HalfEmpty() const {
  const std::lock_guard lock(mu_);
  return bytes_ <= max_bytes_ / 2;
}

bool Handoff::WaitForRoom(std::chrono::milliseconds limit) {
  std::unique_lock lock(mu_);
  return room_.wait_for(lock, limit, [this] { return bytes_ < max_bytes_; });
}

std::unique_ptr<EventBatch> Handoff::Pop(const std::stop_token& stop) {
  std::unique_ptr<EventBatch> batch;
  {
    std::unique_lock lock(mu_);
    ready_.wait(lock, stop, [this] { return closed_ || !batches_.empty(); });
    if (stop.stop_requested() || batches_.empty()) return nullptr;
    batch = std::move(batches_.front());
    batches_.pop_front();
    bytes_ -= batch->Footprint();
  }
  room_.notify_one();
  return batch;
}

void Handoff::Remove(const EventId& stream) {
  std::vector<std::unique_ptr<EventBatch>> gone;
  {
    const std::lock_guard lock(mu_);
    std::deque<std::unique_ptr<EventBatch>> kept;
    for (auto& batch : batches_) {
      if (batch->stream == stream) {
        bytes_ -= batch->Footprint();
        gone.push_back(std::move(batch));
      } else {
        kept.push_back(std::move(batch));
      }
    }
    batches_ = std::move(kept);
  }
  room_.notify_one();
}

void Handoff::Close() {
  std::deque<std::unique_ptr<EventBatch>> gone;
  {
    const std::lock_guard lock(mu_);
    closed_ = true;
    gone.swap(batches_);
    bytes_ = 0;
  }
  ready_.notify_all();
  room_.notify_all();
}

}  // namespace millrace::agent::kafka
