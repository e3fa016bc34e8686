#pragma once
// The configuration of the agent, read into typed structs: what stands in the file, checked,
// nothing made yet.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/registry.h"
#include "agent/topology/queue.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct WebConfig {
  std::vector<std::string> listen_addresses = {"127.0.0.1:9598"};
  std::string config_file;
  bool enabled = true;
};

struct LogConfig {
  std::string level = "info", format = "logfmt";
};

struct GlobalConfig {
  std::string data_dir = "/var/lib/millrace-agent";
  std::string host;  ///< Empty: gethostname().
  config::Bytes memory_max_bytes{std::uint64_t{64} << 20};
  std::chrono::milliseconds shutdown_grace{60'000};
  WebConfig web;
  LogConfig log;
};

struct BufferConfig {
  std::string type = "memory";
  config::Bytes max_bytes{std::uint64_t{1} << 20};
  WhenFull when_full = WhenFull::kBlock;
};

/// Where a component stands in the files, for messages.
struct Place {
  std::string file;
  YAML::Node node, inputs;
};

struct SourceSpec {
  std::string id, type;
  std::uint32_t threads = 1;
  std::unique_ptr<Plan<Source>> plan;
  Place place;
};
struct TransformSpec {
  std::string id, type;
  std::vector<std::string> inputs;
  std::unique_ptr<Plan<Transform>> plan;
  Place place;
};
struct SinkSpec {
  std::string id, type;
  std::vector<std::string> inputs;
  bool required = true;
  BufferConfig buffer;
  std::unique_ptr<Plan<Sink>> plan;
  Place place;
};

struct AgentConfig {
  GlobalConfig global;
  std::vector<SourceSpec> sources;
  std::vector<TransformSpec> transforms;
  std::vector<SinkSpec> sinks;
};

/// Reads a file, or the *.yaml and *.yml of a folder in the order of their names, which then count
/// as one configuration. Every fault is added to `problems`; what comes back is whole only if there
/// is none.
[[nodiscard]] AgentConfig LoadConfig(const std::string& path, config::Problems& problems);
/// The same from text.
[[nodiscard]] AgentConfig LoadConfigText(const std::string& text, const std::string& name,
                                         config::Problems& problems);

/// JSON Schema 2020-12 of the whole file, and docs/configuration.md.
[[nodiscard]] std::string ConfigJsonSchema();
[[nodiscard]] std::string ConfigReference();

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::WhenFull> {
  static constexpr std::pair<millrace::agent::WhenFull, std::string_view> kList[] = {
      {millrace::agent::WhenFull::kBlock, "block"},
      {millrace::agent::WhenFull::kDropNewest, "drop_newest"}};
};
