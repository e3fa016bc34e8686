#include "exporters/uptime_probe/web.h"

#include <atomic>

#include <fmt/format.h>

#include "common/base/strings.h"
#include "common/exposition/compress.h"
#include "common/exposition/negotiate.h"
#include "common/exposition/process_metrics.h"
#include "common/http/landing_page.h"
#include "exporters/uptime_probe/http/url.h"

#ifndef MILLRACE_VERSION
#define MILLRACE_VERSION "0"
#endif

namespace millrace::uptime_probe {
namespace {

using exposition::MetricType;
using http::EscapeHtml;
using http::Request;
using http::Response;

/// /metrics: the exporter about itself, under the names of the original.
class SelfMetrics {
 public:
  SelfMetrics(const ConfigStore& store, const ProbeHandler& handler)
      : store_(store), handler_(handler) {}

  void Serve(const Request& request, Response& response) {
    ++in_flight_;
    exposition::Negotiated format = exposition::NegotiateFormat(request.Header("Accept"));
    exposition::MetricWriter writer;
    writer.Reset(format.format);
    Write(writer);
    exposition::Assembler assembler;
    assembler.Begin(format.format);
    assembler.Add(writer);
    std::string text;
    assembler.Finish(text);
    response.SetContentType(exposition::ContentType(format));
    const auto encoding = exposition::NegotiateEncoding(request.Header("Accept-Encoding"));
    exposition::Compressor compressor;
    if (encoding != exposition::Encoding::kIdentity &&
        compressor.Compress(encoding, text, response.body))
      response.SetHeader("Content-Encoding", exposition::EncodingName(encoding));
    else
      response.body = std::move(text);
    ++served_;
    --in_flight_;
  }

 private:
  void Write(exposition::MetricWriter& w) const {
    w.Family("blackbox_exporter_build_info", MetricType::kGauge,
             "Always 1; the labels say which build this is.");
    w.Sample({{"branch", ""},
              {"goarch", ""},
              {"goos", "linux"},
              {"goversion", "none"},
              {"revision", "millrace"},
              {"tags", ""},
              {"version", MILLRACE_VERSION}},
             1);
    w.Gauge("blackbox_exporter_config_last_reload_successful",
            "Blackbox exporter config loaded successfully.", store_.last_reload_good() ? 1 : 0);
    w.Gauge("blackbox_exporter_config_last_reload_success_timestamp_seconds",
            "Timestamp of the last successful configuration reload.", store_.last_good_time());
    w.Counter("blackbox_module_unknown_total", "Count of unknown modules requested by probes",
              static_cast<double>(handler_.unknown_modules()));
    w.Family("millrace_uptime_probe_probes_total", MetricType::kCounter,
             "Probes by module and result.");
    for (const auto& [module, counts] : handler_.Counts()) {
      w.Sample({{"module", module}, {"result", "success"}}, static_cast<double>(counts.first));
      w.Sample({{"module", module}, {"result", "failure"}}, static_cast<double>(counts.second));
    }
    w.Gauge("promhttp_metric_handler_requests_in_flight", "Scrapes being served.",
            static_cast<double>(in_flight_.load()));
    w.Family("promhttp_metric_handler_requests_total", MetricType::kCounter,
             "Scrapes by HTTP status.");
    w.Sample({{"code", "200"}}, static_cast<double>(served_.load()));
    w.Sample({{"code", "500"}}, 0);
    w.Sample({{"code", "503"}}, 0);
    exposition::WriteProcessMetrics(w);
  }

  const ConfigStore& store_;
  const ProbeHandler& handler_;
  std::atomic<std::int64_t> in_flight_{0};
  std::atomic<std::uint64_t> served_{0};
};

void ServeLanding(const History& history, Response& r) {
  r.SetContentType("text/html");
  r.body +=
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"UTF-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<title>Millrace uptime probe</title><style>body{font-family:system-ui,sans-serif;margin:1em}"
      "table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2em "
      ".6em;text-align:left}"
      "</style></head><body>\n<h1>Millrace uptime probe</h1>\n"
      "<p>Drop-in for Blackbox Exporter. Ask <code>probe?target=HOST&amp;module=MODULE</code>, "
      "with "
      "<code>&amp;debug=true</code> for the log of that probe.</p>\n"
      "<p><a href=\"metrics\">Metrics</a> <a href=\"config\">Configuration</a> "
      "<a href=\"history\">History as JSON</a></p>\n<h2>Recent probes</h2>\n"
      "<table><tr><th>Module</th><th>Target</th><th>Result</th><th>Debug</th></tr>\n";
  for (const auto& p : history.List())
    r.body += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td><a href=\"logs?id={}\">Logs</a></td></tr>\n",
        EscapeHtml(p->module), EscapeHtml(p->target),
        p->success ? std::string("Success")
                   : "<strong>Failure</strong> (" + EscapeHtml(p->reason) + ")",
        p->id);
  r.body += "</table></body></html>\n";
}

void ServeLogs(const History& history, const Request& request, Response& r) {
  const auto id = ParseNumber<std::int64_t>(request.Query("id"));
  const std::string target = request.Query("target");
  if (id && !target.empty())
    return r.Error(400, "Probe id and target can't be defined at the same time");
  if ((!id || *id == -1) && target.empty())
    return r.Error(400, "Probe id or target must be defined as http query parameters");
  const std::string module = request.Query("module");
  if (target.empty() && !module.empty())
    return r.Error(400, "Probe module filter only works in conjunction with target parameter");
  const auto found = target.empty() ? history.ById(*id) : history.ByTarget(target, module);
  if (found == nullptr)
    return r.Error(404, target.empty() ? "Probe id not found" : "Probe target not found");
  r.SetContentType("text/plain");
  r.body = found->DebugText();
}

void AppendJson(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (u < 0x20)
      out += fmt::format("\\u{:04x}", u);
    else
      out += c;
  }
  out += '"';
}

/// [{"id":1,"module":"m","target":"t","success":false,"reason":"dns","seconds":0.1,"time":1700000000}]
void ServeHistory(const History& history, const Request& request, Response& r) {
  const std::string target = request.Query("target"), module = request.Query("module");
  r.SetContentType("application/json");
  r.body += '[';
  for (const auto& p : history.List()) {
    if ((!target.empty() && p->target != target) || (!module.empty() && p->module != module))
      continue;
    r.body += r.body.size() > 1 ? ",\n{\"id\":" : "{\"id\":";
    r.body += std::to_string(p->id) + ",\"module\":";
    AppendJson(r.body, p->module);
    r.body += ",\"target\":";
    AppendJson(r.body, p->target);
    r.body += fmt::format(",\"success\":{},\"reason\":\"{}\",\"seconds\":{:.6f},\"time\":{}}}",
                          p->success, p->reason, p->seconds, p->unix_time);
  }
  r.body += "]\n";
}

}  // namespace

std::string VersionText() {
  return "millrace-uptime-probe, version " MILLRACE_VERSION
         " (drop-in for blackbox_exporter 0.28.0)";
}

Result<WebPrefix> MakeWebPrefix(const std::string& external_url, const std::string& route_prefix) {
  WebPrefix out;
  std::string path;
  if (!external_url.empty()) {
    const auto quote = [](char c) { return c == '"' || c == '\''; };
    if (quote(external_url.front()) || quote(external_url.back()))
      return Fail(ErrorCode::kInvalidArgument,
                  "--web.external-url must not begin or end with quotes");
    auto url = web::Url::Parse(external_url);
    if (!url) return tl::make_unexpected(std::move(url).error().Within("--web.external-url"));
    while (url->path.ends_with('/')) url->path.pop_back();
    path = url->path;
    out.external = url->Text();
  }
  std::string_view route =
      route_prefix.empty() ? std::string_view(path) : std::string_view(route_prefix);
  while (route.starts_with('/')) route.remove_prefix(1);
  while (route.ends_with('/')) route.remove_suffix(1);
  if (!route.empty()) out.route = "/" + std::string(route) + "/";
  return out;
}

http::Routes MakeRoutes(const WebPrefix& prefix, ConfigStore& store, History& history,
                        ProbeHandler& handler) {
  http::Routes routes;
  const std::string& root = prefix.route;
  if (root != "/") {
    if (!prefix.external.empty())
      routes.Exact("/",
                   [to = prefix.external](const Request&, Response& r) { r.Redirect(302, to); });
    routes.Exact(root.substr(0, root.size() - 1),
                 [to = root](const Request&, Response& r) { r.Redirect(307, to); });
  }
  auto self = std::make_shared<SelfMetrics>(store, handler);
  routes.Exact(root + "metrics", [self](const Request& q, Response& r) { self->Serve(q, r); });
  routes.Exact(root + "probe", [&handler](const Request& q, Response& r) { handler.Serve(q, r); });
  routes.Exact(root + "config", [&store](const Request&, Response& r) {
    r.SetContentType("text/plain");
    r.body = DumpConfig(store.Get()->config);
  });
  routes.Exact(root + "logs",
               [&history](const Request& q, Response& r) { ServeLogs(history, q, r); });
  routes.Exact(root + "history",
               [&history](const Request& q, Response& r) { ServeHistory(history, q, r); });
  const auto text = [](const char* body) {
    return [body](const Request&, Response& r) {
      r.SetContentType("text/plain; charset=utf-8");
      r.body = body;
    };
  };
  routes.Exact(root + "-/healthy", text("Healthy"));
  // The server starts behind the first configuration, so who gets an answer gets this one.
  routes.Exact(root + "-/ready", text("Ready"));
  routes.Exact(root + "-/reload", [&store](const Request& q, Response& r) {
    if (q.method != "POST") {
      r.status = 405;
      r.SetContentType("text/plain; charset=utf-8");
      r.body = "This endpoint requires a POST request.\n";
      return;
    }
    const auto reloaded = store.Reload();
    if (reloaded) {
      log::Info("Reloaded config file");
      return;
    }
    log::Error("Error reloading config", {{"err", reloaded.error()}});
    r.Error(500, "failed to reload config: " + reloaded.error().message);
  });
  routes.Prefix(root, [&history](const Request&, Response& r) { ServeLanding(history, r); });
  return routes;
}

}  // namespace millrace::uptime_probe
