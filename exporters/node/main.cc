#include <cstdio>
#include <string>
#include <vector>

#include "common/log/log.h"
#include "exporters/node/registry.h"
#include "exporters/node/scrape.h"
#include "exporters/node/self_metrics.h"

namespace millrace::node {
namespace {

constexpr const char* kProgram = "millrace-node-exporter";

void DeclareFlags(FlagSet& flags) {
  flags.Group("General");
  flags.Switch("once", false, "Print one scrape on standard output and exit.");
  flags.Choice("log.level", "info", {"debug", "info", "warn", "error"},
               "Only log messages with this severity or above.");
  flags.Choice("log.format", "logfmt", {"logfmt", "json"}, "Form of log lines.");
  DeclareCollectorFlags(flags);
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
  auto scraper = Scraper::Make(flags);
  if (!scraper) {
    log::Error("Cannot set up the collectors", {{"error", scraper.error()}});
    return 1;
  }
  if (flags.GetSwitch("once")) return PrintOnce(**scraper);
  std::fprintf(stderr, "%s: error: this build only knows --once\n", kProgram);
  return 1;
}

}  // namespace
}  // namespace millrace::node

int main(int argc, char** argv) {
  return millrace::node::Main(std::vector<std::string>(argv + 1, argv + argc));
}
