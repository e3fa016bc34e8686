#pragma once
// Events on their way to the server.
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "agent/core/event.h"

namespace millrace::agent {

struct Target;

/// A view whose events end one by one, on any thread, in any order. With the last one the view is
/// delivered, exactly once; if some never end, it never is.
class Held : public std::enable_shared_from_this<Held> {
 public:
  explicit Held(BatchView view)
      : view_(std::move(view)), left_(static_cast<std::uint32_t>(view_->size())) {
    if (left_ == 0) view_.Delivered();
  }
  [[nodiscard]] const EventBatch& batch() const { return *view_; }
  /// Some event is not settled.
  [[nodiscard]] explicit operator bool() const { return left_ != 0; }
  /// One event is with its target, or in the dead letters. batch() is gone after the last.
  void Settle() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) view_.Delivered();
  }

 private:
  BatchView view_;
  std::atomic<std::uint32_t> left_;
};

/// One event. Whoever has an Item has a Keep that keeps `held` alive.
struct Item {
  Held* held;
  Target* target;
  std::uint32_t event;
  [[nodiscard]] const Event& get() const { return held->batch().event(event); }
};
using Keep = std::vector<std::shared_ptr<Held>>;

/// Adds `held` unless it is the newest: items come in runs of one view.
inline void KeepAlive(Keep& keep, Held* held) {
  if (keep.empty() || keep.back().get() != held) keep.push_back(held->shared_from_this());
}

}  // namespace millrace::agent
