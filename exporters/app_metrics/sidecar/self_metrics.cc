#include "exporters/app_metrics/sidecar/self_metrics.h"

#include <string>
#include <utility>

namespace millrace::app_metrics::sidecar {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily& Family(std::vector<MetricFamily>& out, const char* name, const char* help,
                     MetricType type) {
  MetricFamily& f = out.emplace_back();
  f.name = name;
  f.help = help;
  f.type = type;
  return f;
}

void Add(MetricFamily& f, double value, const char* label = nullptr, const char* text = nullptr) {
  prometheus::ClientMetric& m = f.metric.emplace_back();
  if (label != nullptr) m.label.push_back({label, text});
  (f.type == MetricType::Counter ? m.counter.value : m.gauge.value) = value;
}

}  // namespace

std::vector<MetricFamily> SelfMetrics::Collect() const {
  std::vector<MetricFamily> out;
  const auto number = [](const auto& n) { return static_cast<double>(n.load()); };
  if (proxy_ != nullptr) {
    const ProxyStats& s = proxy_->stats();
    auto& connections =
        Family(out, "app_metrics_proxy_connections", "Connections, by side.", MetricType::Gauge);
    Add(connections, number(s.clients), "side", "client");
    Add(connections, number(s.backend_connections), "side", "backend");
    Add(Family(out, "app_metrics_proxy_upgraded_connections",
               "Connections that became something else (WebSocket).", MetricType::Gauge),
        number(s.upgraded));
    auto& errors =
        Family(out, "app_metrics_proxy_errors_total",
               "Requests and connections that went wrong, by reason.", MetricType::Counter);
    Add(errors, number(s.refused), "reason", "too_many_connections");
    Add(errors, number(s.bad_requests), "reason", "bad_request");
    Add(errors, number(s.backend_connect_errors), "reason", "backend_connect");
    Add(errors, number(s.backend_bad_responses), "reason", "backend_bad_response");
    Add(errors, number(s.backend_timeouts), "reason", "backend_timeout");
    Add(errors, number(s.client_timeouts), "reason", "client_timeout");
    Add(Family(out, "app_metrics_proxy_retries_total",
               "Requests repeated because a kept connection had been closed.", MetricType::Counter),
        number(s.backend_retries));
  }
  if (tail_ != nullptr) {
    const TailStats& s = tail_->stats();
    Add(Family(out, "app_metrics_log_lines_read_total", "Lines read.", MetricType::Counter),
        number(s.lines));
    auto& bad = Family(out, "app_metrics_log_lines_bad_total",
                       "Lines that count for nothing, by reason.", MetricType::Counter);
    Add(bad, number(s.unparsed), "reason", "unparsed");
    Add(bad, number(s.too_long), "reason", "too_long");
    Add(Family(out, "app_metrics_log_rotations_total", "Files opened anew.", MetricType::Counter),
        number(s.rotations));
  }
  return out;
}

}  // namespace millrace::app_metrics::sidecar
