#include "agent/sinks/elasticsearch/elasticsearch_sink.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "agent/core/template.h"
#include "agent/sinks/elasticsearch/courier.h"

namespace millrace::agent {
namespace {

using Clock = std::chrono::steady_clock;

/// Beyond this the input waits: events of paused indices would fill the memory.
constexpr std::size_t kMaxParkedBytes = std::size_t{32} << 20;
constexpr std::size_t kMaxParkedEvents = 100'000;
/// Names that come from fields are forgotten now and then.
constexpr std::size_t kMaxTargets = 10'000;

/// The threads that carry batches to the server. Started as they are needed: a quiet sink has one.
class Couriers {
 public:
  explicit Couriers(Shipping& shipping) : shipping_(shipping) {}
  ~Couriers() {
    Hurry();
    for (std::thread& t : threads_) t.join();
  }
  Couriers(const Couriers&) = delete;
  Couriers& operator=(const Couriers&) = delete;

  /// An empty batch, with the memory of an earlier one.
  std::unique_ptr<Batch> Get() {
    const std::lock_guard lock(mu_);
    if (spare_.empty()) return std::make_unique<Batch>();
    std::unique_ptr<Batch> batch = std::move(spare_.back());
    spare_.pop_back();
    return batch;
  }

  /// Waits while as many are under way as may be. False: stopped, and the batch was not taken.
  bool Send(std::unique_ptr<Batch> batch, const std::stop_token& stop) {
    std::unique_lock lock(mu_);
    const auto room = [this] { return outstanding_ < shipping_.concurrency(); };
    // The limit may rise without a notification.
    while (!room()) {
      room_.wait_for(lock, stop, std::chrono::milliseconds(100), room);
      if (stop.stop_requested()) return false;
    }
    ++outstanding_;
    queue_.push_back(std::move(batch));
    if (outstanding_ > threads_.size()) threads_.emplace_back([this] { Run(stop_.get_token()); });
    work_.notify_one();
    return true;
  }

  [[nodiscard]] unsigned outstanding() const {
    const std::lock_guard lock(mu_);
    return outstanding_;
  }

  /// Until a batch ends or `time` is over.
  void WaitForOne(std::chrono::milliseconds time, const std::stop_token& stop) {
    std::unique_lock lock(mu_);
    const unsigned before = outstanding_;
    room_.wait_for(lock, stop, time, [&] { return outstanding_ < before; });
  }

  /// Makes every courier give up what it is doing, soon. Thread safe.
  void Hurry() { stop_.request_stop(); }

 private:
  void Run(const std::stop_token& stop) {
    Courier courier(shipping_);
    for (;;) {
      std::unique_ptr<Batch> batch;
      {
        std::unique_lock lock(mu_);
        work_.wait(lock, stop, [this] { return !queue_.empty(); });
        if (stop.stop_requested()) return;
        batch = std::move(queue_.front());
        queue_.pop_front();
      }
      courier.Deliver(*batch, stop);
      batch->items.clear();
      batch->keep.clear();
      batch->wire.ShrinkTo(std::size_t{2} << 20);
      const std::lock_guard lock(mu_);
      spare_.push_back(std::move(batch));
      --outstanding_;
      room_.notify_all();
    }
  }

  Shipping& shipping_;
  mutable std::mutex mu_;
  std::condition_variable_any work_, room_;
  std::deque<std::unique_ptr<Batch>> queue_;
  std::vector<std::unique_ptr<Batch>> spare_;
  unsigned outstanding_ = 0;
  std::stop_source stop_;
  std::vector<std::thread> threads_;  ///< Of the thread that calls Send().
};

class ElasticsearchSink final : public Sink {
 public:
  ElasticsearchSink(const ElasticsearchConfig& config, const Context& context, Template target)
      : config_(config),
        shipping_(config_, context),
        target_(std::move(target)),
        encoder_(config_),
        confined_(
            shipping_.metrics->GetCounter("template_values_changed_total",
                                          "Events whose name had characters replaced or was cut.")),
        fallback_(shipping_.metrics->GetCounter(
            "template_fallbacks_total",
            "Events whose name has the fallback for a missing field.")) {}

  Status Probe(std::chrono::milliseconds timeout) override {
    return shipping_.cluster.Probe(timeout);
  }

  Status Run(SinkInput& in, std::stop_token stop) override {
    Couriers couriers(shipping_);
    // The topology's stop reaches the couriers too, which may be in the middle of a long wait.
    const std::stop_callback on_stop(stop, [&couriers] { couriers.Hurry(); });
    Loop(in, couriers, stop);
    return {};
  }

 private:
  void Loop(SinkInput& in, Couriers& couriers, const std::stop_token& stop) {
    batch_ = couriers.Get();
    while (!stop.stop_requested()) {
      if (!SendParked(couriers, stop)) return;
      if (shipping_.targets.parked() >= kMaxParkedEvents ||
          shipping_.targets.parked_bytes() >= kMaxParkedBytes) {
        if (!Dispatch(couriers, stop)) return;
        couriers.WaitForOne(std::chrono::milliseconds(100), stop);
        continue;
      }
      BatchView view;
      Clock::time_point due =
          batch_->items.empty() ? Clock::time_point::max() : opened_ + config_.batch.timeout;
      // Events may be parked, and have to be looked after, once an answer comes.
      if (shipping_.targets.parked() > 0 || couriers.outstanding() > 0)
        due = std::min(due, Clock::now() + std::chrono::milliseconds(100));
      const SinkInput::Pop pop = in.Next(view, due);
      if (pop == SinkInput::Pop::kClosed) break;
      if (pop == SinkInput::Pop::kItem && !Take(std::move(view), couriers, stop)) return;
      if (!batch_->items.empty() && Clock::now() >= opened_ + config_.batch.timeout &&
          !Dispatch(couriers, stop))
        return;
    }
    Drain(couriers, stop);
  }

  void Drain(Couriers& couriers, const std::stop_token& stop) {
    if (!Dispatch(couriers, stop)) return;
    while (!stop.stop_requested()) {
      if (couriers.outstanding() == 0 && shipping_.targets.parked() == 0) return;
      if (!SendParked(couriers, stop)) return;
      couriers.WaitForOne(std::chrono::milliseconds(50), stop);
    }
  }

  bool Take(BatchView view, Couriers& couriers, const std::stop_token& stop) {
    shipping_.metrics->received_events.Add(static_cast<double>(view->size()));
    shipping_.metrics->received_bytes.Add(static_cast<double>(view->bytes));
    const auto held = std::make_shared<Held>(std::move(view));
    if (!*held) return true;
    if (shipping_.targets.size() > kMaxTargets && !ForgetTargets(couriers, stop)) return false;
    double confined = 0, fallback = 0;
    const std::uint32_t n = static_cast<std::uint32_t>(held->batch().size());
    for (std::uint32_t i = 0; i < n; ++i) {
      const EventBatch& events = held->batch();
      if (last_ == nullptr || !target_.constant()) {
        name_.clear();
        const Template::Outcome o =
            target_.Render(events, events.event(i), config_.fallback, name_);
        confined += o.changed ? 1 : 0;
        fallback += o.missing ? 1 : 0;
        if (last_ == nullptr || last_->name != name_) last_ = shipping_.targets.Find(name_);
      }
      const Item item{held.get(), last_, i};
      if (last_->paused) {
        shipping_.targets.ParkMore(item);
      } else if (!Add(item, couriers, stop)) {
        return false;
      }
    }
    if (confined > 0) confined_.Add(confined);
    if (fallback > 0) fallback_.Add(fallback);
    return true;
  }

  /// Adds one event to the batch; sends the batch when it is full.
  bool Add(const Item& item, Couriers& couriers, const std::stop_token& stop) {
    const std::size_t before = plain_.size();
    encoder_.Append(item, plain_);
    if (plain_.size() > shipping_.body_limit() && before > 0) {
      // It does not fit any more: it becomes the first of the next batch.
      next_.clear();
      next_.Append(plain_.view().substr(before));
      plain_.Truncate(before);
      if (!Dispatch(couriers, stop)) return false;
      plain_.Append(next_.view());
    }
    if (batch_->items.empty()) opened_ = Clock::now();
    KeepAlive(batch_->keep, item.held);
    batch_->items.push_back(item);
    if (batch_->items.size() >= config_.batch.max_events || plain_.size() >= shipping_.body_limit())
      return Dispatch(couriers, stop);
    return true;
  }

  bool Dispatch(Couriers& couriers, const std::stop_token& stop) {
    if (batch_->items.empty()) return true;
    batch_->plain = plain_.size();
    batch_->encoding = shipping_.encoding;
    batch_->wire.clear();
    if (compressor_kind_ != batch_->encoding) {
      compressor_ = MakeCompressor(batch_->encoding, config_.compression_level);
      compressor_kind_ = batch_->encoding;
    }
    if (compressor_ != nullptr)
      compressor_->Compress(plain_.view(), batch_->wire);
    else
      std::swap(plain_, batch_->wire);
    plain_.clear();
    if (plain_.capacity() > kKeepPlain) plain_.ShrinkTo(0);
    if (!couriers.Send(std::move(batch_), stop)) return false;
    batch_ = couriers.Get();
    return true;
  }

  /// Events whose index may go again.
  bool SendParked(Couriers& couriers, const std::stop_token& stop) {
    for (;;) {
      Keep keep;
      const std::vector<Item> due =
          shipping_.targets.TakeDue(Clock::now(), config_.batch.max_events, keep);
      if (due.empty()) return true;
      // A request of their own, so that a probe is not held up, and holds up nothing.
      if (!Dispatch(couriers, stop)) return false;
      for (const Item& item : due)
        if (!Add(item, couriers, stop)) return false;
      if (!Dispatch(couriers, stop)) return false;
    }
  }

  /// Items name their targets by address, so all must be settled first.
  bool ForgetTargets(Couriers& couriers, const std::stop_token& stop) {
    if (!Dispatch(couriers, stop)) return false;
    while (couriers.outstanding() > 0) {
      if (stop.stop_requested()) return false;
      couriers.WaitForOne(std::chrono::milliseconds(100), stop);
    }
    shipping_.targets.Forget();
    last_ = nullptr;
    return true;
  }

  static constexpr std::size_t kKeepPlain = std::size_t{4} << 20;

  const ElasticsearchConfig config_;
  Shipping shipping_;
  Template target_;
  BulkEncoder encoder_;
  Counter confined_, fallback_;
  Target* last_ = nullptr;
  std::string name_;
  std::unique_ptr<Batch> batch_;
  Buffer plain_, next_;
  Clock::time_point opened_{};
  std::unique_ptr<Compressor> compressor_;
  Compression compressor_kind_ = Compression::kNone;
};

}  // namespace

Result<std::unique_ptr<Sink>> MakeElasticsearchSink(const ElasticsearchConfig& config,
                                                    const Context& context) {
  MILLRACE_ASSIGN(Template target, Template::Parse(config.TargetTemplate(), TemplateUse::kIndex));
  return std::make_unique<ElasticsearchSink>(config, context, std::move(target));
}

}  // namespace millrace::agent
