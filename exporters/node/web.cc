#include "exporters/node/web.h"

#include <mutex>
#include <string>
#include <string_view>

#include "common/base/strings.h"
#include "common/exposition/compress.h"
#include "common/exposition/negotiate.h"
#include "common/http/landing_page.h"
#include "common/log/log.h"
#include "exporters/node/self_metrics.h"

namespace millrace::node {
namespace {

/// The original never sends OpenMetrics, whose label values and rules differ a little from the
/// text format's ("le" of buckets; one bad textfile line fails the scrape). Who accepts the text
/// format therefore gets it, and a Prometheus sees no difference; OpenMetrics is for clients that
/// take nothing else.
std::string WithoutOpenMetrics(std::string_view accept) {
  std::string rest;
  bool text = false;
  for (const std::string_view element : Split(accept, ',')) {
    const std::string_view type = Trim(element.substr(0, element.find(';')));
    if (EqualsIgnoreCase(type, "application/openmetrics-text")) continue;
    text |=
        type == "*/*" || EqualsIgnoreCase(type, "text/plain") || EqualsIgnoreCase(type, "text/*");
    rest.append(rest.empty() ? "" : ",").append(element);
  }
  return text ? rest : std::string(accept);
}

/// Serves /metrics. Thread safe; scrapes run one after the other, as the collectors keep their
/// buffers.
class MetricsHandler {
 public:
  MetricsHandler(Scraper& scraper, const FlagSet& flags)
      : scraper_(scraper),
        self_metrics_(!flags.GetSwitch("web.disable-exporter-metrics")),
        most_(flags.GetInteger("web.max-requests")) {}

  void Serve(const http::Request& request, http::Response& response) {
    const std::int64_t now = counts_.in_flight.fetch_add(1) + 1;
    if (most_ > 0 && now > most_) {
      response.Error(503, "Limit of concurrent requests reached (" + std::to_string(most_) +
                              "), try again later.");
      counts_.unavailable.fetch_add(1);
    } else {
      Scrape(request, response);
    }
    counts_.in_flight.fetch_sub(1);
  }

 private:
  void Scrape(const http::Request& request, http::Response& response) {
    Selection selection;
    request.EachQuery([&](std::string_view key, std::string_view value) {
      if (key == "collect[]") selection.collect.emplace_back(value);
      if (key == "exclude[]") selection.exclude.emplace_back(value);
    });
    const exposition::Negotiated format =
        exposition::NegotiateFormat(WithoutOpenMetrics(request.Header("Accept")));
    const exposition::Encoding encoding =
        exposition::NegotiateEncoding(request.Header("Accept-Encoding"));

    const std::lock_guard lock(mu_);
    own_.Reset(format.format);
    WriteBuildInfo(own_);
    if (self_metrics_ && selection.collect.empty()) {
      process_.Write(own_);
      WriteHandlerCounts(counts_, own_);
    }
    const bool plain = encoding == exposition::Encoding::kIdentity;
    std::string& text = plain ? response.body : text_;
    Status status = scraper_.Scrape(selection, format.format, &own_, text);
    if (status && !plain) status = compressor_.Compress(encoding, text_, response.body);
    if (!status) {
      const bool client = status.error().code == ErrorCode::kInvalidArgument;
      (client ? counts_.bad_request : counts_.internal_error).fetch_add(1);
      response.status = client ? 400 : 500;
      response.body = status.error().message;
      response.SetContentType("text/plain; charset=utf-8");
      return;
    }
    counts_.ok.fetch_add(1);
    response.SetContentType(exposition::ContentType(format));
    if (!plain) response.SetHeader("Content-Encoding", exposition::EncodingName(encoding));
  }

  Scraper& scraper_;
  const bool self_metrics_;
  const std::int64_t most_;
  HandlerCounts counts_;

  std::mutex mu_;  // guards what follows
  ProcessMetrics process_;
  MetricWriter own_;
  exposition::Compressor compressor_;
  std::string text_;
};

}  // namespace

void DeclareWebFlags(FlagSet& flags) {
  flags.Group("Web");
  flags.List("web.listen-address", {":9100"},
             "Address to listen on (host:port, :port, [v6]:port or vsock://:port). Repeatable.");
  flags.Switch("web.systemd-socket", false,
               "Use the sockets of systemd's socket activation instead of listening.");
  flags.Text("web.config.file", "",
             "Path of the file with TLS, authentication and headers (docs/web-config.md).");
  flags.Text("web.telemetry-path", "/metrics", "Path under which metrics are served.");
  flags.Switch("web.disable-exporter-metrics", false,
               "Leave out metrics about the exporter itself (promhttp_*, process_*).");
  flags.Integer("web.max-requests", 40, "Most scrapes at the same time; 0 = no limit.");
  flags.Integer("runtime.gomaxprocs", 1,
                "Accepted for compatibility, without effect: scrapes use one thread.");
}

Result<std::unique_ptr<http::Server>> StartWeb(const FlagSet& flags, Scraper& scraper) {
  if (flags.IsSet("runtime.gomaxprocs"))
    log::Warn("--runtime.gomaxprocs has no effect: this exporter is not written in Go");
  const std::string& path = flags.GetText("web.telemetry-path");
  if (!path.starts_with('/'))
    return Fail(ErrorCode::kInvalidArgument,
                "--web.telemetry-path must begin with a slash, not \"" + Printable(path) + "\"");
  auto handler = std::make_shared<MetricsHandler>(scraper, flags);
  http::Routes routes;
  const auto serve = [handler](const http::Request& q, http::Response& r) { handler->Serve(q, r); };
  if (path.ends_with('/'))
    routes.Prefix(path, serve);  // as Go's router has it
  else
    routes.Exact(path, serve);
  if (path != "/")
    http::AddLandingPage(
        routes,
        {"Node Exporter", "Prometheus Node Exporter", VersionText(), {{path, "Metrics", ""}}});
  http::ServerOptions options;
  options.listen_addresses = flags.GetList("web.listen-address");
  options.systemd_socket = flags.GetSwitch("web.systemd-socket");
  options.web_config_file = flags.GetText("web.config.file");
  return http::Server::Start(std::move(options), std::move(routes));
}

}  // namespace millrace::node
