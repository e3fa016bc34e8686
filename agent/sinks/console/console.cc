#include "agent/sinks/console/console.h"

#include <cerrno>

#include <poll.h>
#include <unistd.h>

namespace millrace::agent {
namespace {

constexpr std::size_t kFlushAt = std::size_t{64} << 10;

class Console final : public Sink {
 public:
  Console(const ConsoleConfig& config, const Context& context)
      : fd_(config.target == ConsoleConfig::Target::kStdout ? STDOUT_FILENO : STDERR_FILENO),
        encoder_(MakeEncoder(config.encoding)),
        metrics_(context.metrics) {}

  Status Run(SinkInput& in, std::stop_token stop) override {
    while (!stop.stop_requested()) {
      BatchView view;
      if (in.Next(view) == SinkInput::Pop::kClosed) return Flush(stop);
      metrics_->received_events.Add(static_cast<double>(view->size()));
      metrics_->received_bytes.Add(static_cast<double>(view->bytes));
      encoder_->Start(*view);
      for (const Event& e : view->events()) {
        encoder_->Append(e, out_);
        out_.Append('\n');
      }
      held_.push_back(std::move(view));
      if (out_.size() >= kFlushAt || in.Empty()) MILLRACE_TRY(Flush(stop));
    }
    return {};
  }

 private:
  Status Flush(const std::stop_token& stop) {
    std::string_view rest = out_.view();
    while (!rest.empty()) {
      const ssize_t n = ::write(fd_, rest.data(), rest.size());
      if (n >= 0) {
        rest.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno == EAGAIN) {
        // Somebody made the terminal or pipe non-blocking. Wake now and then for the stop.
        pollfd p{fd_, POLLOUT, 0};
        ::poll(&p, 1, 200);
        if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped while writing");
      } else if (errno != EINTR) {
        metrics_->Errors("write_failed").Add();
        return FailErrno("write", errno);
      }
    }
    double events = 0;
    for (BatchView& v : held_) {
      events += static_cast<double>(v->size());
      v.Delivered();
    }
    held_.clear();
    metrics_->sent_events.Add(events);
    metrics_->sent_bytes.Add(static_cast<double>(out_.size()));
    out_.clear();
    return {};
  }

  int fd_;
  std::unique_ptr<Encoder> encoder_;
  std::shared_ptr<Metrics> metrics_;
  Buffer out_;
  std::vector<BatchView> held_;
};

}  // namespace

void Visit(config::Visitor& v, ConsoleConfig& c) {
  v.Field("target", c.target, "Where to write.");
  v.Field("encoding", c.encoding, "How an event is written.");
}

Result<std::unique_ptr<Sink>> MakeConsole(const ConsoleConfig& config, const Context& context) {
  return std::make_unique<Console>(config, context);
}

}  // namespace millrace::agent
