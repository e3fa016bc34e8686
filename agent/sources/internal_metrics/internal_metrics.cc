#include "agent/sources/internal_metrics/internal_metrics.h"

#include <condition_variable>
#include <mutex>

#include "agent/core/name.h"

namespace millrace::agent {
namespace {

/// Label names and values of ours are plain; still, a quote must not break the object.
void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  out += '"';
}

class InternalMetricsSource final : public Source {
 public:
  InternalMetricsSource(const InternalMetricsConfig& config, const Context& context)
      : config_(config), metrics_(context.metrics), host_(context.host) {}

  Status Run(std::stop_token stop, Output& out) override {
    std::mutex mu;
    std::condition_variable_any wake;
    std::unique_lock lock(mu);
    for (std::uint64_t scrape = 0; !stop.stop_requested(); ++scrape) {
      MILLRACE_TRY(out.Send(Scrape(scrape)));
      wake.wait_for(lock, stop, config_.scrape_interval, [] { return false; });
    }
    return {};
  }

 private:
  std::unique_ptr<EventBatch> Scrape(std::uint64_t scrape) {
    const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                 std::chrono::system_clock::now().time_since_epoch())
                                 .count();
    auto batch = std::make_unique<EventBatch>();
    batch->stream = HashStream("internal_metrics:" + host_ + ":" + std::to_string(now));
    batch->AddCommon(Field::String(names::kHost, batch->arena.Copy(host_)));
    batch->AddCommon(Field::String(names::kSourceType, "internal_metrics"));
    std::uint64_t position = scrape << 32;
    for (const auto& sample : metrics_->registry().Samples()) {
      std::string tags = "{";
      for (const auto& [name, value] : sample.labels) {
        if (tags.size() > 1) tags += ',';
        AppendJsonString(tags, name);
        tags += ':';
        AppendJsonString(tags, value);
      }
      tags += '}';
      batch->Begin(position++, now);
      batch->Append(Field::String("name", batch->arena.Copy(sample.name)));
      batch->Append(Field::Double("value", sample.value));
      batch->Append(Field::String("tags", batch->arena.Copy(tags), Type::kRawJson));
    }
    metrics_->received_events.Add(static_cast<double>(batch->size()));
    metrics_->sent_events.Add(static_cast<double>(batch->size()));
    return batch;
  }

  const InternalMetricsConfig config_;
  std::shared_ptr<Metrics> metrics_;
  const std::string host_;
};

}  // namespace

void Visit(config::Visitor& v, InternalMetricsConfig& c) {
  v.Seconds("scrape_interval_secs", c.scrape_interval, "Time between two readings of all metrics.")
      .Check([](std::chrono::milliseconds t) {
        return t < std::chrono::milliseconds(100) ? std::string("must be at least 0.1")
                                                  : std::string();
      });
}

Result<std::unique_ptr<Source>> MakeInternalMetrics(const InternalMetricsConfig& config,
                                                    const Context& context) {
  return std::make_unique<InternalMetricsSource>(config, context);
}

}  // namespace millrace::agent
