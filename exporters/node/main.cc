#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <malloc.h>

#include "common/log/log.h"
#include "exporters/node/registry.h"
#include "exporters/node/scrape.h"
#include "exporters/node/self_metrics.h"
#include "exporters/node/startup_memory.h"
#include "exporters/node/web.h"

namespace millrace::node {
namespace {

constexpr const char* kProgram = "millrace-node-exporter";

void DeclareFlags(FlagSet& flags) {
  flags.Group("General");
  flags.Switch("once", false, "Print one scrape on standard output and exit.");
  flags.Choice("log.level", "info", {"debug", "info", "warn", "error"},
               "Only log messages with this severity or above.");
  flags.Choice("log.format", "logfmt", {"logfmt", "json"}, "Form of log lines.");
  DeclareWebFlags(flags);
  DeclareCollectorFlags(flags);
}

/// Every --path.* that procfs and sysfs collectors read from must be there.
Status CheckPaths(const FlagSet& flags) {
  const HostPaths paths = PathsFrom(flags);
  for (const std::string& path : {paths.proc, paths.sys})
    if (!IsDirectory(path))
      return Fail(ErrorCode::kInvalidArgument, path + " is not a directory that can be read");
  return {};
}

int Serve(const FlagSet& flags, Scraper& scraper) {
  // Before any thread starts, so that only this one gets them.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  log::Info("Starting millrace-node-exporter", {{"version", VersionText()}});
  std::string names;
  for (const std::string_view name : scraper.Enabled())
    names.append(names.empty() ? "" : ",").append(name);
  log::Info("Enabled collectors", {{"collectors", names}});
  const auto server = StartWeb(flags, scraper);
  if (!server) {
    log::Error("Cannot serve", {{"error", server.error()}});
    return 1;
  }
  ReleaseStartupMemory();
  int signal = 0;
  sigwait(&stop, &signal);
  log::Info("Stopping", {{"signal", signal}});
  return 0;
}

int PrintOnce(Scraper& scraper) {
  MetricWriter extra;
  extra.Reset(exposition::Format::kText);
  WriteBuildInfo(extra);
  std::string text;
  if (const auto s = scraper.Scrape({}, exposition::Format::kText, &extra, text); !s) {
    log::Error("Scrape failed", {{"error", s.error()}});
    return 1;
  }
  return WriteAll(1, text) ? 0 : 1;
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
  // The choices were checked by the flags.
  log::Configure(log::ParseLevel(flags.GetText("log.level")).value_or(log::Level::kInfo),
                 log::ParseFormat(flags.GetText("log.format")).value_or(log::Format::kLogfmt));
  // An allocator arena a thread would multiply what a scrape's buffers leave behind.
  mallopt(M_ARENA_MAX, 1);
  if (const auto fine = CheckPaths(flags); !fine) {
    log::Error("Cannot read the host's files", {{"error", fine.error()}});
    return 1;
  }
  auto scraper = Scraper::Make(flags);
  if (!scraper) {
    log::Error("Cannot set up the collectors", {{"error", scraper.error()}});
    return 1;
  }
  if (flags.GetSwitch("once")) return PrintOnce(**scraper);
  return Serve(flags, **scraper);
}

}  // namespace
}  // namespace millrace::node

int main(int argc, char** argv) {
  return millrace::node::Main(std::vector<std::string>(argv + 1, argv + argc));
}
