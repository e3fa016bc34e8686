#pragma once
// A queue for one sink under test, and tokens that say what became of what went in.
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "agent/core/component.h"

namespace millrace::agent::testing {

/// Thread safe.
class FakeInput final : public SinkInput {
 public:
  void Push(BatchView view) {
    const std::lock_guard lock(mu_);
    items_.push_back(std::move(view));
    wake_.notify_all();
  }
  void Close() {
    const std::lock_guard lock(mu_);
    closed_ = true;
    wake_.notify_all();
  }
  Pop Next(BatchView& out, std::chrono::steady_clock::time_point deadline) override {
    std::unique_lock lock(mu_);
    const auto ready = [this] { return !items_.empty() || closed_; };
    if (deadline == std::chrono::steady_clock::time_point::max())
      wake_.wait(lock, ready);
    else if (!wake_.wait_until(lock, deadline, ready))
      return Pop::kTimeout;
    if (items_.empty()) return Pop::kClosed;
    out = std::move(items_.front());
    items_.pop_front();
    return Pop::kItem;
  }
  [[nodiscard]] bool Empty() const override {
    const std::lock_guard lock(mu_);
    return items_.empty();
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable wake_;
  std::deque<BatchView> items_;
  bool closed_ = false;
};

/// Counts tokens by how they ended. Thread safe; outlives its tokens.
class Ledger {
 public:
  std::shared_ptr<AckToken> Token() {
    const std::lock_guard lock(mu_);
    ++open_;
    return std::make_shared<Entry>(*this);
  }
  [[nodiscard]] int delivered() const { return Get(delivered_); }
  [[nodiscard]] int lost() const { return Get(lost_); }
  [[nodiscard]] int open() const { return Get(open_); }

 private:
  struct Entry final : AckToken {
    explicit Entry(Ledger& l) : ledger(l) {}
    ~Entry() override { ledger.End(delivered()); }
    Ledger& ledger;
  };
  void End(bool delivered) {
    const std::lock_guard lock(mu_);
    --open_;
    ++(delivered ? delivered_ : lost_);
  }
  int Get(const int& v) const {
    const std::lock_guard lock(mu_);
    return v;
  }
  mutable std::mutex mu_;
  int open_ = 0, delivered_ = 0, lost_ = 0;
};

/// Seals a batch as the topology does and gives the view for one sink.
inline BatchView Seal(std::unique_ptr<EventBatch> batch, Ledger* ledger = nullptr) {
  if (ledger != nullptr) batch->acks.push_back(ledger->Token());
  std::shared_ptr<EventBatch> shared = std::move(batch);
  BatchView view(shared);
  shared->Routed();
  return view;
}

/// One batch of events {"message": ...} with positions from `first`.
inline std::unique_ptr<EventBatch> Messages(const std::vector<std::string>& lines,
                                            std::uint64_t first = 0) {
  auto batch = std::make_unique<EventBatch>();
  batch->stream = HashStream("test");
  for (const std::string& line : lines) {
    batch->Begin(first++, 1'763'812'800'000'000'000);
    batch->Append(Field::String("message", batch->arena.Copy(line)));
    batch->bytes += line.size() + 1;
  }
  return batch;
}

inline Context MakeContext(MetricsRegistry& registry, const std::string& data_dir) {
  Context c;
  c.id = "under_test";
  c.data_dir = data_dir;
  c.metrics = std::make_shared<Metrics>(registry, "under_test", "sink", "test");
  c.host = "test-host";
  return c;
}

}  // namespace millrace::agent::testing
