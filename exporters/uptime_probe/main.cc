#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <malloc.h>

#include "common/base/strings.h"
#include "common/log/log.h"
#include "exporters/uptime_probe/web.h"

namespace millrace::uptime_probe {
namespace {

constexpr const char* kProgram = "millrace-uptime-probe";

void DeclareFlags(FlagSet& flags) {
  flags.Group("General");
  flags.Text("config.file", "blackbox.yml", "Configuration file.");
  flags.Switch("config.check", false, "Check the configuration file and exit.");
  flags.Switch("config.enable-auto-reload", false, "Look for changes of the configuration file.");
  flags.Integer("config.auto-reload-interval", 30, "Seconds between two looks.");
  flags.Text("timeout-offset", "0.5", "Seconds to take off Prometheus' scrape timeout.");
  flags.Integer("history.limit", 100, "Most results to keep, and as many older failures.");
  flags.Text("log.prober", "info", "Level of the probes' own log lines: debug, info, warn, error.");
  flags.Choice("log.level", "info", {"debug", "info", "warn", "error"},
               "Only log messages with this severity or above.");
  flags.Choice("log.format", "logfmt", {"logfmt", "json"}, "Form of log lines.");
  flags.Group("Probes (not in the original)");
  flags.Switch("probe.additional-metrics", false,
               "Also return the series that blackbox_exporter does not have: probe_failure_info, "
               "certificates that did not verify, every resolved address.");
  flags.Switch(
      "probe.refuse-private-targets", false,
      "Refuse targets with private, loopback, link-local or otherwise internal addresses.");
  flags.Integer("probe.max-concurrent", 256, "Most probes at the same time; others wait.");
  flags.Group("Web");
  flags.List("web.listen-address", {":9115"},
             "Address to listen on (host:port, :port, [v6]:port or vsock://:port). Repeatable.");
  flags.Switch("web.systemd-socket", false,
               "Use the sockets of systemd's socket activation instead of listening.");
  flags.Text("web.config.file", "",
             "Path of the file with TLS, authentication and headers (docs/web-config.md).");
  flags.Text("web.external-url", "", "URL under which a reverse proxy serves this exporter.");
  flags.Text("web.route-prefix", "", "Prefix of all paths; by default that of --web.external-url.");
}

struct Settings {
  HandlerOptions handler;
  WebPrefix prefix;
  http::ServerOptions server;
  std::size_t history = 100;
  std::int64_t reload_seconds = 0;  // 0 = only when asked
};

Result<Settings> ReadSettings(const FlagSet& flags) {
  Settings s;
  const auto offset = ParseNumber<double>(flags.GetText("timeout-offset"));
  if (!offset)
    return Fail(ErrorCode::kInvalidArgument, "--timeout-offset must be a number of seconds");
  s.handler.timeout_offset = *offset;
  if (const auto level = log::ParseLevel(flags.GetText("log.prober"))) {
    s.handler.log_level = *level;
  } else {
    log::Warn("Level of --log.prober is unknown, info is used",
              {{"level", flags.GetText("log.prober")}});
  }
  s.handler.probe.additional_metrics = flags.GetSwitch("probe.additional-metrics");
  s.handler.probe.refuse_internal_targets = flags.GetSwitch("probe.refuse-private-targets");
  for (const char* name : {"history.limit", "config.auto-reload-interval"})
    if (flags.GetInteger(name) < 0)
      return Fail(ErrorCode::kInvalidArgument, std::string("--") + name + " must not be negative");
  s.history = static_cast<std::size_t>(flags.GetInteger("history.limit"));
  if (flags.GetSwitch("config.enable-auto-reload"))
    s.reload_seconds = std::max<std::int64_t>(1, flags.GetInteger("config.auto-reload-interval"));
  const std::int64_t workers = flags.GetInteger("probe.max-concurrent");
  if (workers < 1 || workers > 10'000)
    return Fail(ErrorCode::kInvalidArgument, "--probe.max-concurrent must be from 1 to 10000");
  MILLRACE_ASSIGN(s.prefix, MakeWebPrefix(flags.GetText("web.external-url"),
                                          flags.GetText("web.route-prefix")));
  s.server.listen_addresses = flags.GetList("web.listen-address");
  s.server.systemd_socket = flags.GetSwitch("web.systemd-socket");
  s.server.web_config_file = flags.GetText("web.config.file");
  s.server.max_workers = static_cast<std::size_t>(workers);
  // Prometheus keeps a connection for each target.
  s.server.max_connections = 8192;
  return s;
}

/// Signals are taken here only; every thread starts with them blocked.
int WaitForSignals(const sigset_t& set, ConfigStore& store, std::int64_t reload_seconds) {
  for (;;) {
    int signal = 0;
    if (reload_seconds == 0) {
      sigwait(&set, &signal);
    } else {
      const timespec timeout{static_cast<time_t>(reload_seconds), 0};
      signal = sigtimedwait(&set, nullptr, &timeout);
    }
    if (signal == SIGTERM || signal == SIGINT) {
      log::Info("Stopping", {{"signal", signal}});
      return 0;
    }
    if (signal != SIGHUP && reload_seconds == 0) continue;
    if (const auto reloaded = store.Reload(); !reloaded)
      log::Error("Error reloading config", {{"err", reloaded.error()}});
    else if (signal == SIGHUP)
      log::Info("Reloaded config file");
  }
}

int Main(std::span<const std::string> args) {
  FlagSet flags(kProgram);
  DeclareFlags(flags);
  if (const auto parsed = flags.Parse(args); !parsed) {
    if (flags.asked_help()) {
      std::fputs(flags.Help().c_str(), stdout);
      return 0;
    }
    if (flags.asked_version()) {
      std::puts(VersionText().c_str());
      return 0;
    }
    std::fprintf(stderr, "%s: error: %s, try --help\n", kProgram, parsed.error().message.c_str());
    return 1;
  }
  log::Configure(log::ParseLevel(flags.GetText("log.level")).value_or(log::Level::kInfo),
                 log::ParseFormat(flags.GetText("log.format")).value_or(log::Format::kLogfmt));
  // An allocator arena a thread would multiply what the probes' buffers leave behind.
  mallopt(M_ARENA_MAX, 1);
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL

  auto settings = ReadSettings(flags);
  if (!settings) {
    log::Error("Bad command line", {{"err", settings.error()}});
    return 1;
  }
  log::Info("Starting millrace-uptime-probe", {{"version", VersionText()}});
  ConfigStore store(flags.GetText("config.file"));
  if (const auto loaded = store.Reload(); !loaded) {
    log::Error("Error loading config", {{"err", loaded.error()}});
    return 1;
  }
  if (flags.GetSwitch("config.check")) {
    log::Info("Config file is ok exiting...");
    return 0;
  }
  log::Info("Loaded config file");
  History history(settings->history);
  ProbeHandler handler(store, history, settings->handler);
  const auto server = http::Server::Start(std::move(settings->server),
                                          MakeRoutes(settings->prefix, store, history, handler));
  if (!server) {
    log::Error("Error starting HTTP server", {{"err", server.error()}});
    return 1;
  }
  for (const std::string& address : (*server)->addresses())
    log::Info("Listening on", {{"address", address}});
  return WaitForSignals(set, store, settings->reload_seconds);
}

}  // namespace
}  // namespace millrace::uptime_probe

int main(int argc, char** argv) {
  return millrace::uptime_probe::Main(std::vector<std::string>(argv + 1, argv + argc));
}
