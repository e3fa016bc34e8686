#include "agent/checkpoints/ack_tracker.h"

#include "common/base/check.h"

namespace millrace::agent {

std::uint64_t AckTracker::Register(Mark end) {
  const std::lock_guard lock(mu_);
  ranges_.push_back({end, State::kOpen});
  ++in_flight_;
  return base_ + ranges_.size() - 1;
}

void AckTracker::Resolve(std::uint64_t handle, bool delivered) {
  const std::lock_guard lock(mu_);
  MILLRACE_CHECK(handle >= base_ + head_ && handle < base_ + ranges_.size());
  Range& range = ranges_[handle - base_];
  MILLRACE_CHECK(range.state == State::kOpen);
  range.state = delivered ? State::kDelivered : State::kFailed;
  --in_flight_;
  if (!delivered) ++failed_;
  const std::size_t before = head_;
  while (head_ < ranges_.size() && ranges_[head_].state == State::kDelivered)
    mark_ = ranges_[head_++].end;
  if (head_ == before) return;
  if (head_ == ranges_.size()) {
    base_ += head_;
    head_ = 0;
    ranges_.clear();
    // A burst that piled up ranges behind a slow sink must not be paid for ever after.
    if (ranges_.capacity() > 64) ranges_.shrink_to_fit();
  } else if (head_ > 64 && head_ > ranges_.size() / 2) {
    ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<std::ptrdiff_t>(head_));
    base_ += head_;
    head_ = 0;
  }
  if (on_advance_) on_advance_(mark_);
}

AckTracker::Mark AckTracker::mark() const {
  const std::lock_guard lock(mu_);
  return mark_;
}

std::size_t AckTracker::in_flight() const {
  const std::lock_guard lock(mu_);
  return in_flight_;
}

std::uint64_t AckTracker::failed() const {
  const std::lock_guard lock(mu_);
  return failed_;
}

}  // namespace millrace::agent
