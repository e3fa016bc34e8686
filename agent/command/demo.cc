#include <cstdio>
#include <filesystem>
#include <fstream>

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include "agent/command/commands.h"
#include "agent/command/running.h"
#include "common/base/fd.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

/// Logs that a machine has where nothing was set up, readable by us and not empty.
std::vector<std::string> LogsOfThisMachine() {
  std::vector<std::string> found;
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(
           "/var/log", std::filesystem::directory_options::skip_permission_denied, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    const std::string path = it->path().string();
    const bool log = path.ends_with(".log") || path.ends_with("/syslog") ||
                     path.ends_with("/messages") || path.ends_with("/auth.log");
    std::error_code ignored;
    if (it.depth() > 2 || !log || !it->is_regular_file(ignored) || it->file_size(ignored) == 0)
      continue;
    if (::access(path.c_str(), R_OK) == 0) found.push_back(path);
    if (found.size() == 50) break;
  }
  return found;
}

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

}  // namespace

int Demo(const DemoOptions& options) {
  std::error_code error;
  const std::string directory = std::filesystem::absolute(options.directory, error).string();
  if (auto made = MakeDirectories(directory); !made) {
    std::fprintf(stderr, "%s\nchoose another folder with --dir\n", made.error().message.c_str());
    return 1;
  }
  log::Configure(log::Level::kWarn, log::Format::kLogfmt);
  std::string config =
      fmt::format("data_dir: {}\nshutdown_grace_secs: 10\nweb: {{enabled: false}}\nsources:\n",
                  Quoted(directory + "/state"));
  const std::vector<std::string> logs =
      options.generator ? std::vector<std::string>() : LogsOfThisMachine();
  std::vector<std::string> inputs;
  if (!logs.empty()) {
    config += "  machine_logs:\n    type: file\n    read_from: beginning\n    include:\n";
    for (const std::string& path : logs) config += fmt::format("      - {}\n", Quoted(path));
    inputs.emplace_back("machine_logs");
    std::printf("Reading %zu logs of this machine, such as %s\n", logs.size(),
                logs.front().c_str());
  }
  // A machine's own logs may be silent for minutes: the generated ones keep the picture moving.
  config += fmt::format("  generated_logs:\n    type: generator\n    format: mixed\n    rate: {}\n",
                        logs.empty() ? 2000 : 50);
  inputs.emplace_back("generated_logs");
  std::printf("%s\n",
              logs.empty()
                  ? "This machine has no readable logs: generating 2,000 realistic lines a second"
                  : "Generating 50 realistic lines a second beside them");
  const std::string parse = R"(transforms:
  kind:
    type: route
    inputs: [{}]
    route:
      json: 'startsWith(.message, "{{")'
      nginx: '.message =~ "^[0-9a-fA-F.:]+ \\S+ \\S+ \\["'
      logfmt: '.message =~ "^(time|ts|level)=[^ ]+ "'
      syslog: '.message =~ "^<[0-9]+>"'
  json: {{type: json, inputs: [kind.json]}}
  nginx: {{type: nginx, inputs: [kind.nginx]}}
  logfmt: {{type: logfmt, inputs: [kind.logfmt]}}
  syslog: {{type: syslog, inputs: [kind.syslog]}}
sinks:
  files:
    type: file
    inputs: [json, nginx, logfmt, syslog, kind._unmatched]
    path: {}
    encoding: {{codec: json}}
    compression: zstd
  live:
    type: summary
    required: false
    inputs: [json, nginx, logfmt, syslog, kind._unmatched]
)";
  config += fmt::format(fmt::runtime(parse), fmt::join(inputs, ", "),
                        Quoted(directory + "/%Y-%m-%d.ndjson.zst"));
  if (auto written = WriteFileAtomically(directory + "/agent.yaml", config); !written) {
    std::fprintf(stderr, "%s\n", written.error().message.c_str());
    return 1;
  }
  std::printf(
      "Configuration: %s/agent.yaml   Output: %s/*.ndjson.zst (read it with zstdcat)   Ctrl-C "
      "stops\n\n",
      directory.c_str(), directory.c_str());
  std::fflush(stdout);
  Loaded loaded = LoadAndCheck(directory + "/agent.yaml");
  if (!loaded.problems.empty()) {
    std::fputs(loaded.problems.Text().c_str(), stderr);
    return kExitConfig;
  }
  const int status =
      RunTopology(std::move(loaded.config), std::move(loaded.graph),
                  std::chrono::milliseconds(static_cast<std::int64_t>(options.seconds * 1000)));
  std::printf("\nRead what was written:  zstdcat %s/*.ndjson.zst | tail\n", directory.c_str());
  return status;
}

}  // namespace millrace::agent
