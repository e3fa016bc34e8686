#include "exporters/uptime_probe/handler.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "common/base/strings.h"
#include "common/exposition/compress.h"
#include "common/exposition/negotiate.h"

namespace millrace::uptime_probe {
namespace {

/// Go's %q of a name that came over the network.
std::string Quoted(std::string_view text) { return '"' + Printable(text) + '"'; }

/// The text format whatever is asked for, as the original's handler without OpenMetrics.
void Answer(const http::Request& request, std::string text, http::Response& response) {
  exposition::Negotiated format = exposition::NegotiateFormat(request.Header("Accept"));
  format.format = exposition::Format::kText;
  const auto encoding = exposition::NegotiateEncoding(request.Header("Accept-Encoding"));
  response.SetContentType(exposition::ContentType(format));
  if (encoding != exposition::Encoding::kIdentity) {
    // One for all workers: a context holds 70 KiB, and an answer takes some microseconds.
    static std::mutex mu;
    static exposition::Compressor compressor;
    const std::lock_guard lock(mu);
    if (compressor.Compress(encoding, text, response.body)) {
      response.SetHeader("Content-Encoding", exposition::EncodingName(encoding));
      return;
    }
  }
  response.body = std::move(text);
}

/// The hostname parameter: a Host header for http, a server name for tcp. A copy, because modules
/// are shared.
Status ApplyHostname(const std::string& hostname, Module& module) {
  if (module.prober == "http") {
    for (const auto& [name, value] : module.http.headers)
      if (EqualsIgnoreCase(name, "host") && value != hostname)
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("host header defined both in module configuration ({}) and with "
                                "URL-parameter 'hostname' ({})",
                                value, Printable(hostname)));
    if (hostname.find_first_of("\r\n") != std::string::npos)
      return Fail(ErrorCode::kInvalidArgument, "hostname has a line break");
    module.http.headers["Host"] = hostname;
  } else if (module.prober == "tcp" && module.tcp.tls_config.server_name.empty()) {
    module.tcp.tls_config.server_name = hostname;
  }
  return {};
}

}  // namespace

Result<double> ProbeTimeout(std::string_view header, const Module& module, double offset) {
  double seconds = 0;
  if (!header.empty()) {
    const auto number = ParseNumber<double>(header);
    if (!number || *number != *number)
      return Fail(ErrorCode::kParse,
                  fmt::format("strconv.ParseFloat: parsing {}: invalid syntax", Quoted(header)));
    seconds = *number;
  }
  if (seconds == 0) seconds = 120;
  const double most = seconds - offset;
  const double own = std::chrono::duration<double>(module.timeout.value).count();
  const double chosen = (own > 0 && own < most) || most < 0 ? own : most;
  // A day is longer than any scrape; more would overflow the clock.
  return std::clamp(chosen, 0.0, 86400.0);
}

std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> ProbeHandler::Counts() const {
  const std::lock_guard lock(mu_);
  return counts_;
}

void ProbeHandler::Count(const std::string& module, bool success) {
  const std::lock_guard lock(mu_);
  auto& [good, bad] = counts_[module];
  ++(success ? good : bad);
}

void ProbeHandler::Serve(const http::Request& request, http::Response& response) {
  const auto loaded = store_.Get();
  const std::string asked = request.Query("module");
  const std::string name = asked.empty() ? "http_2xx" : asked;
  const auto found = loaded->config.modules.find(name);
  if (found == loaded->config.modules.end()) {
    ++unknown_modules_;
    log::Debug("Unknown module", {{"module", name}});
    return response.Error(400, "Unknown module " + Quoted(name));
  }
  const auto timeout = ProbeTimeout(request.Header("X-Prometheus-Scrape-Timeout-Seconds"),
                                    found->second, options_.timeout_offset);
  if (!timeout)
    return response.Error(
        500, "Failed to parse timeout from Prometheus header: " + timeout.error().message);
  auto result = std::make_shared<ProbeResult>();
  result->module = name;
  result->target = request.Query("target");
  if (result->target.empty()) return response.Error(400, "Target parameter is missing");
  const ProbeFunction probe = FindProber(found->second.prober);
  if (probe == nullptr)
    return response.Error(400, "Unknown prober " + Quoted(found->second.prober));
  const Module* module = &found->second;
  std::optional<Module> changed;
  if (const std::string hostname = request.Query("hostname"); !hostname.empty()) {
    changed = *module;
    if (auto applied = ApplyHostname(hostname, *changed); !applied)
      return response.Error(400, applied.error().message);
    module = &*changed;
  }

  MetricSet metrics;
  metrics.Declare("probe_success", "Displays whether or not the probe was a success");
  metrics.Declare("probe_duration_seconds",
                  "Returns how long the probe took to complete in seconds");
  ProbeLog log(options_.log_level, result->module, result->target);
  log.Debug("Beginning probe", {{"probe", module->prober}, {"timeout_seconds", *timeout}});
  const auto start = Clock::now();
  const Deadline deadline =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(*timeout));
  ProbeContext context{*module, result->target, deadline, options_.probe, metrics, log, {}};
  result->success = probe(context);
  result->seconds = SecondsBetween(start, Clock::now());
  metrics.Set("probe_duration_seconds", result->seconds);
  metrics.Set("probe_success", result->success ? 1 : 0);
  if (result->success) {
    log.Debug("Probe succeeded", {{"duration_seconds", result->seconds}});
  } else {
    result->reason = context.reason.empty() ? "other" : context.reason;
    log.Error("Probe failed", {{"reason", result->reason}, {"duration_seconds", result->seconds}});
    if (options_.probe.additional_metrics) {
      metrics.DeclareVector("probe_failure_info", "Why the probe failed.");
      metrics.Set("probe_failure_info", {{"reason", result->reason}}, 1);
    }
  }
  Count(name, result->success);
  result->metrics = metrics.Text();
  result->log = log.text();
  result->unix_time = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  result->module_text = changed ? std::make_shared<const std::string>(DumpModule(*changed))
                                : loaded->module_texts.at(name);
  history_.Add(result);
  if (request.Query("debug") == "true") {
    response.SetContentType("text/plain");
    response.body = result->DebugText();
    return;
  }
  Answer(request, result->metrics, response);
}

}  // namespace millrace::uptime_probe
