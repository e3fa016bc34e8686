#include "exporters/app_metrics/sidecar/command.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>

#include "common/base/strings.h"
#include "common/flags/flags.h"
#include "common/http/listen.h"
#include "common/http/server.h"
#include "common/log/log.h"
#include "exporters/app_metrics/sidecar/log_tail.h"
#include "exporters/app_metrics/sidecar/proxy.h"
#include "exporters/app_metrics/sidecar/self_metrics.h"
#include "millrace/app_metrics/checks.h"

namespace millrace::app_metrics::sidecar {
namespace {

constexpr const char* kProgram = "millrace-app-metrics";

void DeclareFlags(FlagSet& f) {
  f.Group("Proxy mode");
  f.Text("proxy.backend", "", "host:port of the back-end. Turns the reverse proxy on.");
  f.Text("proxy.listen-address", "127.0.0.1:8081", "Where clients connect.");
  f.Integer("proxy.threads", 1, "Event loops.");
  f.Integer("proxy.max-connections", 10'000, "Client connections; further ones get 503.");
  f.Duration("proxy.connect-timeout", "5s", "To reach the back-end.");
  f.Duration("proxy.response-timeout", "60s", "Until the back-end begins to answer.");
  f.Duration("proxy.stall-timeout", "60s", "Without a byte in the middle of a response.");
  f.Duration("proxy.idle-timeout", "75s", "Of client connections between requests.");
  f.List("proxy.trusted", {}, "Address or CIDR block of a proxy in front. Repeatable.");
  f.Group("Log mode");
  f.List("log-mode.file", {}, "Access log to follow; - is standard input. Repeatable.");
  f.Choice("log-mode.format", "nginx_combined", LogLineReader::Formats(), "Form of its lines.");
  f.Switch("log-mode.from-beginning", false, "Count the lines that are there already.");
  f.Group("Metrics");
  f.Text("service", "app", "Name of the service.");
  f.Text("service.version", "", "Its version; also the environment variable APP_VERSION.");
  f.List("route", {},
         "Route template: /users/:id, /files/*. Repeatable. Without any, path "
         "segments that look like ids become {id}.");
  f.Integer("max-routes", 200, "Series per method and route; the rest is route=\"overflow\".");
  f.Switch("names.opentelemetry", false, "Names of OpenTelemetry's semantic conventions.");
  f.Group("Access log (proxy mode)");
  f.Switch("access-log", true, "Write a line a request.");
  f.Text("access-log.path", "", "File; empty is standard output.");
  f.Choice("access-log.format", "logfmt", {"logfmt", "json"}, "Form of its lines.");
  f.Duration("access-log.slow", "1s", "Requests from here on are logged as slow; 0 = none.");
  f.Group("Health");
  f.List("check.tcp", {}, "name=host:port that must accept connections. Repeatable.");
  f.List("check.redis", {}, "name=host:port that must answer PING. Repeatable.");
  f.List("check.disk", {}, "name=path with at least 5% free. Repeatable.");
  f.Switch("health.details", false, "Show messages of checks in /health.");
  f.Integer("health.failure-status", 500, "Status of /health when a check fails.");
  f.Group("Web");
  f.List("web.listen-address", {"127.0.0.1:9464"}, "Where /metrics and /health are. Repeatable.");
  f.Text("web.config.file", "", "TLS and authentication; see docs/web-config.md.");
  f.Group("Logging");
  f.Choice("log.level", "info", {"debug", "info", "warn", "error"}, "Least level that is logged.");
  f.Choice("log.format", "logfmt", {"logfmt", "json"}, "Form of log lines.");
}

std::chrono::milliseconds Milliseconds(const FlagSet& f, std::string_view name) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(f.GetSeconds(name) * 1000));
}

Options OptionsFrom(const FlagSet& f) {
  Options o;
  o.service = f.GetText("service");
  o.version = f.GetText("service.version");
  o.routes = f.GetList("route");
  o.guess_routes = true;
  o.max_routes = static_cast<std::size_t>(std::max<std::int64_t>(1, f.GetInteger("max-routes")));
  if (f.GetSwitch("names.opentelemetry")) o.names = Names::kOpenTelemetry;
  o.trusted_proxies = f.GetList("proxy.trusted");
  o.access_log.enabled = f.GetSwitch("access-log") && !f.GetText("proxy.backend").empty();
  o.access_log.path = f.GetText("access-log.path");
  o.access_log.skip_paths.clear();
  if (f.GetText("access-log.format") == "json") o.access_log.format = LogFormat::kJson;
  o.access_log.slow = Milliseconds(f, "access-log.slow");
  o.health.show_details = f.GetSwitch("health.details");
  o.health.failure_status = static_cast<int>(f.GetInteger("health.failure-status"));
  return o;
}

ProxyOptions ProxyOptionsFrom(const FlagSet& f) {
  ProxyOptions o;
  o.listen = f.GetText("proxy.listen-address");
  o.backend = f.GetText("proxy.backend");
  o.threads = static_cast<unsigned>(std::clamp<std::int64_t>(f.GetInteger("proxy.threads"), 1, 64));
  o.max_connections =
      static_cast<std::size_t>(std::max<std::int64_t>(1, f.GetInteger("proxy.max-connections")));
  o.connect_timeout = Milliseconds(f, "proxy.connect-timeout");
  o.response_timeout = Milliseconds(f, "proxy.response-timeout");
  o.stall_timeout = Milliseconds(f, "proxy.stall-timeout");
  o.idle_timeout = Milliseconds(f, "proxy.idle-timeout");
  return o;
}

struct NamedAddress {
  std::string name, host;
  std::uint16_t port = 0;
};
Result<NamedAddress> ParseCheck(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, "a check is name=host:port, not " + Printable(text));
  MILLRACE_ASSIGN(const http::HostPort at, http::SplitHostPort(text.substr(equals + 1)));
  const auto port = ParseNumber<std::uint16_t>(at.port);
  if (!port) return Fail(ErrorCode::kInvalidArgument, "no port in " + Printable(text));
  return NamedAddress{text.substr(0, equals), at.host.empty() ? "127.0.0.1" : at.host, *port};
}

Status AddChecks(const FlagSet& f, AppMetrics& metrics) {
  std::vector<std::string> tcp = f.GetList("check.tcp");
  if (const std::string& backend = f.GetText("proxy.backend"); !backend.empty())
    tcp.push_back("backend=" + backend);
  for (const std::string& text : tcp) {
    MILLRACE_ASSIGN(const NamedAddress a, ParseCheck(text));
    metrics.add_check(checks::Tcp(a.name, a.host, a.port));
  }
  for (const std::string& text : f.GetList("check.redis")) {
    MILLRACE_ASSIGN(const NamedAddress a, ParseCheck(text));
    metrics.add_check(checks::Redis(a.name, a.host, a.port));
  }
  for (const std::string& text : f.GetList("check.disk")) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      return Fail(ErrorCode::kInvalidArgument, "a disk check is name=path");
    metrics.add_check(checks::DiskSpace(text.substr(0, equals), text.substr(equals + 1), 0.05));
  }
  const auto problems = metrics.problems();
  return problems.empty() ? Status() : Fail(ErrorCode::kInvalidArgument, problems.front());
}

void AnswerHealth(const HealthReport& report, http::Response& r) {
  r.status = report.http_status;
  r.SetContentType("application/json");
  r.SetHeader("Cache-Control", "no-store");
  r.body = report.body;
}

http::Routes RoutesOf(AppMetrics& metrics) {
  http::Routes routes;
  routes.Exact("/metrics", [&metrics](const http::Request& q, http::Response& r) {
    const MetricsPage page = metrics.page(q.Header("Accept"));
    r.SetContentType(page.content_type);
    r.hold = page.body;
    r.view = *page.body;
  });
  routes.Exact("/health", [&metrics](const http::Request&, http::Response& r) {
    AnswerHealth(metrics.health(), r);
  });
  routes.Exact("/health/live", [&metrics](const http::Request&, http::Response& r) {
    AnswerHealth(metrics.live(), r);
  });
  routes.Exact("/health/ready", [&metrics](const http::Request&, http::Response& r) {
    AnswerHealth(metrics.ready(), r);
  });
  http::AddHealthRoutes(routes);
  return routes;
}

Status Serve(const FlagSet& flags) {
  if (flags.GetText("proxy.backend").empty() == flags.GetList("log-mode.file").empty())
    return Fail(ErrorCode::kInvalidArgument, "give either --proxy.backend or --log-mode.file");
  // Before any thread starts, so that only this one gets them.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);

  AppMetrics metrics(OptionsFrom(flags));
  MILLRACE_TRY(AddChecks(flags, metrics));
  std::unique_ptr<Proxy> proxy;
  std::unique_ptr<LogTail> tail;
  if (flags.GetList("log-mode.file").empty()) {
    MILLRACE_ASSIGN(proxy, Proxy::Start(ProxyOptionsFrom(flags), metrics));
    log::Info("Proxying", {{"listen", flags.GetText("proxy.listen-address")},
                           {"backend", flags.GetText("proxy.backend")}});
  } else {
    MILLRACE_ASSIGN(tail,
                    LogTail::Start(flags.GetList("log-mode.file"), flags.GetText("log-mode.format"),
                                   flags.GetSwitch("log-mode.from-beginning"), metrics));
    log::Info("Following access logs", {{"format", flags.GetText("log-mode.format")}});
  }
  const auto self = std::make_shared<SelfMetrics>(proxy.get(), tail.get());
  metrics.add_collectable(self);
  http::ServerOptions web;
  web.listen_addresses = flags.GetList("web.listen-address");
  web.web_config_file = flags.GetText("web.config.file");
  MILLRACE_ASSIGN(auto server, http::Server::Start(std::move(web), RoutesOf(metrics)));
  int signal = 0;
  sigwait(&stop, &signal);
  log::Info("Stopping", {{"signal", signal}});
  metrics.set_draining(true);
  return {};  // the web server goes first, the proxy drains
}

}  // namespace

int Main(std::span<const std::string> args) {
  FlagSet flags(kProgram);
  DeclareFlags(flags);
  if (const Status parsed = flags.Parse(args); !parsed) {
    if (flags.asked_help()) {
      std::fputs(flags.Help().c_str(), stdout);
      return 0;
    }
    if (flags.asked_version()) {
      std::printf("%s, version %s\n", kProgram, MILLRACE_VERSION);
      return 0;
    }
    std::fprintf(stderr, "%s: error: %s, try --help\n", kProgram, parsed.error().message.c_str());
    return 2;
  }
  log::Configure(log::ParseLevel(flags.GetText("log.level")).value_or(log::Level::kInfo),
                 log::ParseFormat(flags.GetText("log.format")).value_or(log::Format::kLogfmt));
  if (const Status s = Serve(flags); !s) {
    log::Error("Cannot run", {{"error", s.error()}});
    return 1;
  }
  return 0;
}

}  // namespace millrace::app_metrics::sidecar
