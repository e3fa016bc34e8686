#pragma once
// Shared by the commands that run a topology.
#include <chrono>
#include <string>

#include "agent/config/agent_config.h"
#include "agent/topology/graph.h"

namespace millrace::agent {

struct Loaded {
  AgentConfig config;
  Graph graph;
  config::Problems problems;
};
/// Reads a file or folder and checks its graph; every fault is in `problems`.
[[nodiscard]] Loaded LoadAndCheck(const std::string& path);

/// Runs until a signal, the end of all sources, a failure, or `limit` (0 = none). Exit status as
/// Run().
int RunTopology(AgentConfig config, Graph graph, std::chrono::milliseconds limit);

}  // namespace millrace::agent
