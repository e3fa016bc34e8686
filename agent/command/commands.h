#pragma once
// What `millrace-agent COMMAND` does. Each returns the exit status of the process.
#include <string>

namespace millrace::agent {

/// The configuration is at fault: sysexits.h EX_CONFIG.
inline constexpr int kExitConfig = 78;

struct RunOptions {
  std::string config;
  std::string data_dir;               ///< Overrides the file, if not empty.
  std::string log_level, log_format;  ///< Override the file, if not empty.
};
/// Runs until SIGTERM, SIGINT or the end of all sources. 0 = everything that was read is delivered;
/// 1 = a component failed, or something is left for the next start; 78 = bad configuration.
int Run(const RunOptions& options);

/// Prints every fault; 0 or 78. `online` also asks every sink whether its target answers.
int Validate(const std::string& config, bool online);

int PrintGraph(const std::string& config, bool dot);
int PrintSchema();
int PrintReference();
int PrintComponents();

struct DemoOptions {
  std::string directory = "millrace-demo";
  double seconds = 0;      ///< 0 = until Ctrl-C.
  bool generator = false;  ///< Do not look for logs of this machine.
};
/// Tails this machine's logs (or a generated one), parses them, shows a live summary, writes
/// zstd-compressed NDJSON.
int Demo(const DemoOptions& options);

}  // namespace millrace::agent
