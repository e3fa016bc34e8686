#include "agent/sinks/summary/summary.h"

#include <array>
#include <deque>
#include <map>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/strings.h"

namespace millrace::agent {
namespace {

using Clock = std::chrono::steady_clock;

std::string Human(double n, std::string_view unit = "") {
  static constexpr std::array<std::string_view, 5> kScale = {"", "k", "M", "G", "T"};
  std::size_t i = 0;
  while (n >= 9999.5 && i + 1 < kScale.size()) {
    n /= 1000;
    ++i;
  }
  return i == 0 ? fmt::format("{:.0f} {}", n, unit)
                : fmt::format("{:.1f} {}{}", n, kScale[i], unit);
}

/// One event on one line: time, then name=value of its fields.
std::string OneLine(const EventBatch& batch, const Event& e, std::size_t width) {
  std::string out;
  const std::time_t seconds = e.time_ns / 1'000'000'000;
  std::tm tm{};
  ::localtime_r(&seconds, &tm);
  out += fmt::format("{:02}:{:02}:{:02}", tm.tm_hour, tm.tm_min, tm.tm_sec);
  ForEachField(batch, e, [&](const Field& f) {
    if (out.size() > width) return;
    out += fmt::format(" {}=", Printable(f.name(), 40));
    switch (f.type) {
      case Type::kNull:
        out += "null";
        break;
      case Type::kBool:
        out += f.i64 != 0 ? "true" : "false";
        break;
      case Type::kInt:
      case Type::kTimestamp:
        out += std::to_string(f.i64);
        break;
      case Type::kDouble:
        out += fmt::format("{}", f.f64);
        break;
      default:
        out += Printable(f.text(), width);
    }
  });
  return out;
}

/// Cuts at `width` bytes without tearing a UTF-8 sequence.
std::string_view Clip(std::string_view text, std::size_t width) {
  if (text.size() <= width) return text;
  while (width > 0 && (static_cast<unsigned char>(text[width]) & 0xc0) == 0x80) --width;
  return text.substr(0, width);
}

class SummarySink final : public Sink {
 public:
  SummarySink(const SummaryConfig& config, const Context& context)
      : config_(config), id_(context.id), metrics_(context.metrics), terminal_(::isatty(1) == 1) {}

  Status Run(SinkInput& in, std::stop_token stop) override {
    const auto start = Clock::now();
    auto next = start + config_.interval;
    BatchView view;
    for (;;) {
      const SinkInput::Pop pop = in.Next(view, next);
      if (pop == SinkInput::Pop::kItem) Take(view);
      if (pop == SinkInput::Pop::kClosed || Clock::now() >= next || stop.stop_requested()) {
        Print(std::chrono::duration<double>(Clock::now() - start).count());
        next = Clock::now() + config_.interval;
      }
      if (pop == SinkInput::Pop::kClosed || stop.stop_requested()) return {};
    }
  }

 private:
  struct Row {
    std::string kind, type;
    double received = 0, sent = 0, bytes = 0, errors = 0, discarded = 0;
  };

  void Take(BatchView& view) {
    const EventBatch& batch = *view;
    metrics_->received_events.Add(static_cast<double>(batch.size()));
    metrics_->sent_events.Add(static_cast<double>(batch.size()));
    const std::size_t first =
        batch.size() > config_.last_events ? batch.size() - config_.last_events : 0;
    for (std::size_t i = first; i < batch.size(); ++i) {
      last_.push_back(OneLine(batch, batch.event(i), 400));
      if (last_.size() > config_.last_events) last_.pop_front();
    }
    view.Delivered();
  }

  std::map<std::string, Row> Read() {
    std::map<std::string, Row> rows;
    for (const auto& sample : metrics_->registry().Samples()) {
      std::string id, kind, type;
      for (const auto& [name, value] : sample.labels) {
        if (name == "component_id") id = value;
        if (name == "component_kind") kind = value;
        if (name == "component_type") type = value;
      }
      if (id.empty() || id == id_) continue;
      Row& row = rows[(kind == "source" ? "0" : kind == "transform" ? "1" : "2") + id];
      row.kind = kind;
      row.type = type;
      if (sample.name == "millrace_component_received_events_total") row.received += sample.value;
      if (sample.name == "millrace_component_sent_events_total") row.sent += sample.value;
      if (sample.name == (kind == "sink" ? "millrace_component_sent_bytes_total"
                                         : "millrace_component_received_bytes_total"))
        row.bytes += sample.value;
      if (sample.name == "millrace_component_errors_total") row.errors += sample.value;
      if (sample.name == "millrace_component_discarded_events_total") row.discarded += sample.value;
    }
    return rows;
  }

  void Print(double elapsed) {
    const std::map<std::string, Row> rows = Read();
    const double seconds = std::max(0.001, elapsed - last_elapsed_);
    std::string out;
    if (!terminal_) {
      out = fmt::format("summary seconds={:.0f}", elapsed);
      for (const auto& [key, row] : rows)
        out += fmt::format(" {}={}", key.substr(1), static_cast<std::uint64_t>(row.sent));
      out += '\n';
    } else {
      winsize size{};
      const std::size_t width =
          ::ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
      if (lines_ > 0)
        out += fmt::format("\x1b[{}F\x1b[J", lines_);  // back to the first line of the last picture
      lines_ = 0;
      const auto line = [&](std::string_view style, std::string_view text) {
        out += fmt::format("{}{}\x1b[0m\n", style, Clip(text, width - 1));
        ++lines_;
      };
      line("\x1b[1m", fmt::format("{:<10} {:<18} {:<16} {:>12} {:>12} {:>10} {:>10} {:>8} {:>9}",
                                  "", "component", "type", "events in", "events out", "out / s",
                                  "bytes", "errors", "discarded"));
      for (const auto& [key, row] : rows) {
        const double rate = std::max(0.0, (row.sent - previous_[key]) / seconds);
        line(row.errors > 0 ? "\x1b[33m" : "",
             fmt::format("{:<10} {:<18} {:<16} {:>12} {:>12} {:>10} {:>10} {:>8} {:>9}", row.kind,
                         key.substr(1), row.type, static_cast<std::uint64_t>(row.received),
                         static_cast<std::uint64_t>(row.sent), Human(rate), Human(row.bytes, "B"),
                         row.errors, row.discarded));
      }
      line("\x1b[1m", fmt::format("last events ({:.0f} s)", elapsed));
      for (const std::string& event : last_) line("\x1b[2m", event);
    }
    for (const auto& [key, row] : rows) previous_[key] = row.sent;
    last_elapsed_ = elapsed;
    static_cast<void>(WriteAll(1, out));
  }

  const SummaryConfig config_;
  const std::string id_;
  std::shared_ptr<Metrics> metrics_;
  const bool terminal_;
  std::deque<std::string> last_;
  std::map<std::string, double> previous_;
  double last_elapsed_ = 0;
  int lines_ = 0;
};

}  // namespace

void Visit(config::Visitor& v, SummaryConfig& c) {
  v.Seconds("interval_secs", c.interval, "Time between two pictures.")
      .Check([](std::chrono::milliseconds t) {
        return t < std::chrono::milliseconds(100) ? std::string("must be at least 0.1")
                                                  : std::string();
      });
  v.Field("last_events", c.last_events, "How many of the last events to show.").Range(0, 1000);
}

Result<std::unique_ptr<Sink>> MakeSummary(const SummaryConfig& config, const Context& context) {
  return std::make_unique<SummarySink>(config, context);
}

}  // namespace millrace::agent
