#pragma once
// Who reads from whom: the inputs of a configuration, resolved and checked.
#include <cstddef>
#include <string>
#include <vector>

#include "agent/config/agent_config.h"

namespace millrace::agent {

/// Consumers of one output.
struct Port {
  std::string name;                     ///< "" = the default output.
  std::vector<std::size_t> transforms;  ///< Indexes into Graph::transforms.
  std::vector<std::size_t> sinks;
};

/// Ports of a component: the default output, then the named ones.
struct Node {
  std::vector<Port> ports;
};

struct Graph {
  std::vector<Node> sources, transforms;  ///< Same order as in the AgentConfig.
  std::vector<std::size_t> order;         ///< Transforms, inputs before those that read from them.
  /// For each source: does a required sink stand behind it?
  std::vector<bool> source_acknowledged;
};

/// Faults: an input that does not exist, a cycle, a component that nobody reads from, no source or
/// no sink at all.
[[nodiscard]] Graph BuildGraph(const AgentConfig& config, config::Problems& problems);

/// Mermaid text of the topology.
[[nodiscard]] std::string ToMermaid(const AgentConfig& config, const Graph& graph);
/// Graphviz text of the topology.
[[nodiscard]] std::string ToDot(const AgentConfig& config, const Graph& graph);

}  // namespace millrace::agent
