#include "agent/sinks/blackhole/blackhole.h"

#include "common/log/log.h"

namespace millrace::agent {
namespace {

using Clock = std::chrono::steady_clock;

class Blackhole final : public Sink {
 public:
  Blackhole(const BlackholeConfig& config, const Context& context)
      : interval_(config.print_interval), id_(context.id), metrics_(context.metrics) {}

  Status Run(SinkInput& in, std::stop_token stop) override {
    Clock::time_point due =
        interval_.count() > 0 ? Clock::now() + interval_ : Clock::time_point::max();
    while (!stop.stop_requested()) {
      BatchView view;
      switch (in.Next(view, due)) {
        case SinkInput::Pop::kClosed:
          return {};
        case SinkInput::Pop::kTimeout:
          break;
        case SinkInput::Pop::kItem:
          Take(std::move(view));
          break;
      }
      if (Clock::now() >= due) {
        log::Info("Events swallowed",
                  {{"component_id", id_}, {"events", events_}, {"bytes", bytes_}});
        due = Clock::now() + interval_;
      }
    }
    return {};
  }

 private:
  void Take(BatchView view) {
    const auto events = static_cast<double>(view->size()), bytes = static_cast<double>(view->bytes);
    metrics_->received_events.Add(events);
    metrics_->received_bytes.Add(bytes);
    metrics_->sent_events.Add(events);
    metrics_->sent_bytes.Add(bytes);
    events_ += view->size();
    bytes_ += view->bytes;
    view.Delivered();
  }

  std::chrono::milliseconds interval_;
  std::string id_;
  std::shared_ptr<Metrics> metrics_;
  std::uint64_t events_ = 0, bytes_ = 0;
};

}  // namespace

void Visit(config::Visitor& v, BlackholeConfig& c) {
  v.Seconds("print_interval_secs", c.print_interval,
            "Log how much was swallowed this often; 0 = never.");
}

Result<std::unique_ptr<Sink>> MakeBlackhole(const BlackholeConfig& config, const Context& context) {
  return std::make_unique<Blackhole>(config, context);
}

}  // namespace millrace::agent
