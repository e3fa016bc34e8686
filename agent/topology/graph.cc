#include "agent/topology/graph.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <fnmatch.h>

#include "common/base/strings.h"

namespace millrace::agent {
namespace {

/// An output that inputs can name.
struct Producer {
  bool is_source;
  std::size_t index, port;
};

class Builder {
 public:
  Builder(const AgentConfig& config, config::Problems& problems)
      : config_(config), problems_(problems) {}

  Graph Build() {
    graph_.sources.resize(config_.sources.size());
    graph_.transforms.resize(config_.transforms.size());
    AddProducers(config_.sources, true, graph_.sources);
    AddProducers(config_.transforms, false, graph_.transforms);
    for (const auto& [name, unused] : producers_) names_.push_back(name);
    for (std::size_t i = 0; i < config_.transforms.size(); ++i)
      Connect(config_.transforms[i], "transforms." + config_.transforms[i].id,
              [i](Port& port) { port.transforms.push_back(i); });
    for (std::size_t i = 0; i < config_.sinks.size(); ++i)
      Connect(config_.sinks[i], "sinks." + config_.sinks[i].id,
              [i](Port& port) { port.sinks.push_back(i); });
    if (config_.sources.empty())
      problems_.Add(AnyFile(), 1, 1, "sources: at least one source is needed");
    if (config_.sinks.empty()) problems_.Add(AnyFile(), 1, 1, "sinks: at least one sink is needed");
    CheckUsed(config_.sources, "sources.", graph_.sources);
    CheckUsed(config_.transforms, "transforms.", graph_.transforms);
    Sort();
    FindAcknowledged();
    return std::move(graph_);
  }

 private:
  std::string AnyFile() const {
    if (!config_.sinks.empty()) return config_.sinks[0].place.file;
    if (!config_.sources.empty()) return config_.sources[0].place.file;
    return "configuration";
  }

  template <class Specs>
  void AddProducers(const Specs& specs, bool is_source, std::vector<Node>& nodes) {
    for (std::size_t i = 0; i < specs.size(); ++i) {
      nodes[i].ports.push_back({});
      if (!producers_.try_emplace(specs[i].id, Producer{is_source, i, 0}).second)
        problems_.Add(specs[i].place.file, specs[i].place.node, "",
                      fmt::format("\"{}\" names a source and a transform", specs[i].id));
      if (specs[i].plan == nullptr) continue;
      for (const std::string& output : specs[i].plan->outputs()) {
        producers_.try_emplace(specs[i].id + "." + output,
                               Producer{is_source, i, nodes[i].ports.size()});
        nodes[i].ports.push_back({output, {}, {}});
      }
    }
  }

  template <class Spec, class Add>
  void Connect(const Spec& spec, const std::string& path, Add add) {
    for (std::size_t k = 0; k < spec.inputs.size(); ++k) {
      const std::string& input = spec.inputs[k];
      const YAML::Node& list = spec.place.inputs;
      const YAML::Node at =
          list.IsDefined() && list.IsSequence() && k < list.size() ? list[k] : spec.place.node;
      bool found = false;
      for (const auto& [name, producer] : producers_) {
        if (name == spec.id && producer.is_source == false && input.find('*') != std::string::npos)
          continue;  // "*" is not itself
        if (input != name && (input.find('*') == std::string::npos ||
                              ::fnmatch(input.c_str(), name.c_str(), 0) != 0))
          continue;
        found = true;
        Node& node = (producer.is_source ? graph_.sources : graph_.transforms)[producer.index];
        add(node.ports[producer.port]);
      }
      if (!found)
        problems_.Add(spec.place.file, at, path + ".inputs",
                      fmt::format("there is no source or transform \"{}\"{}", Printable(input, 100),
                                  DidYouMean(input, names_)));
      if (std::count(spec.inputs.begin(), spec.inputs.end(), input) > 1 &&
          std::find(spec.inputs.begin(), spec.inputs.end(), input) - spec.inputs.begin() ==
              static_cast<std::ptrdiff_t>(k))
        problems_.Add(spec.place.file, at, path + ".inputs",
                      fmt::format("\"{}\" stands here twice", input));
    }
  }

  template <class Specs>
  void CheckUsed(const Specs& specs, const char* kind, const std::vector<Node>& nodes) {
    for (std::size_t i = 0; i < specs.size(); ++i) {
      const bool used =
          std::any_of(nodes[i].ports.begin(), nodes[i].ports.end(),
                      [](const Port& p) { return !p.transforms.empty() || !p.sinks.empty(); });
      if (!used)
        problems_.Add(specs[i].place.file, specs[i].place.node, kind + specs[i].id,
                      "nothing reads from this component");
    }
  }

  void Sort() {
    enum : unsigned char { kNew, kOpen, kDone };
    std::vector<unsigned char> state(config_.transforms.size(), kNew);
    const auto visit = [&](auto&& self, std::size_t i) -> void {
      state[i] = kOpen;
      for (const Port& port : graph_.transforms[i].ports) {
        for (const std::size_t next : port.transforms) {
          if (state[next] == kOpen) {
            problems_.Add(
                config_.transforms[next].place.file, config_.transforms[next].place.node,
                "transforms." + config_.transforms[next].id,
                fmt::format("is its own input, by way of \"{}\"", config_.transforms[i].id));
          } else if (state[next] == kNew) {
            self(self, next);
          }
        }
      }
      state[i] = kDone;
      graph_.order.push_back(i);
    };
    for (std::size_t i = 0; i < state.size(); ++i)
      if (state[i] == kNew) visit(visit, i);
    std::reverse(graph_.order.begin(), graph_.order.end());
  }

  void FindAcknowledged() {
    // Inputs come first in `order`, so going backwards a transform's consumers are known before it.
    std::vector<bool> transform(config_.transforms.size(), false);
    const auto any = [&](const Node& node) {
      for (const Port& port : node.ports) {
        for (const std::size_t s : port.sinks)
          if (config_.sinks[s].required) return true;
        for (const std::size_t t : port.transforms)
          if (transform[t]) return true;
      }
      return false;
    };
    for (auto it = graph_.order.rbegin(); it != graph_.order.rend(); ++it)
      transform[*it] = any(graph_.transforms[*it]);
    for (const Node& node : graph_.sources) graph_.source_acknowledged.push_back(any(node));
  }

  const AgentConfig& config_;
  config::Problems& problems_;
  Graph graph_;
  std::map<std::string, Producer> producers_;
  std::vector<std::string_view> names_;
};

template <class Line>
void ForEachEdge(const AgentConfig& config, const Graph& graph, Line line) {
  const auto edges = [&](const std::string& id, const Node& node) {
    for (const Port& port : node.ports) {
      for (const std::size_t t : port.transforms) line(id, port.name, config.transforms[t].id);
      for (const std::size_t s : port.sinks) line(id, port.name, "sink_" + config.sinks[s].id);
    }
  };
  for (std::size_t i = 0; i < config.sources.size(); ++i)
    edges(config.sources[i].id, graph.sources[i]);
  for (std::size_t i = 0; i < config.transforms.size(); ++i)
    edges(config.transforms[i].id, graph.transforms[i]);
}

}  // namespace

Graph BuildGraph(const AgentConfig& config, config::Problems& problems) {
  return Builder(config, problems).Build();
}

std::string ToMermaid(const AgentConfig& config, const Graph& graph) {
  std::string out = "flowchart LR\n";
  for (const auto& s : config.sources)
    out += fmt::format("  {0}([\"{0}<br/>{1}\"])\n", s.id, s.type);
  for (const auto& t : config.transforms)
    out += fmt::format("  {0}[\"{0}<br/>{1}\"]\n", t.id, t.type);
  for (const auto& s : config.sinks)
    out += fmt::format("  sink_{0}[(\"{0}<br/>{1}\")]\n", s.id, s.type);
  ForEachEdge(config, graph,
              [&](const std::string& from, const std::string& port, const std::string& to) {
                out += port.empty() ? fmt::format("  {} --> {}\n", from, to)
                                    : fmt::format("  {} -- {} --> {}\n", from, port, to);
              });
  return out;
}

std::string ToDot(const AgentConfig& config, const Graph& graph) {
  std::string out = "digraph millrace {\n  rankdir=LR;\n";
  for (const auto& s : config.sources)
    out += fmt::format("  \"{0}\" [shape=oval, label=\"{0}\\n{1}\"];\n", s.id, s.type);
  for (const auto& t : config.transforms)
    out += fmt::format("  \"{0}\" [shape=box, label=\"{0}\\n{1}\"];\n", t.id, t.type);
  for (const auto& s : config.sinks)
    out += fmt::format("  \"sink_{0}\" [shape=cylinder, label=\"{0}\\n{1}\"];\n", s.id, s.type);
  ForEachEdge(config, graph,
              [&](const std::string& from, const std::string& port, const std::string& to) {
                out += fmt::format("  \"{}\" -> \"{}\" [label=\"{}\"];\n", from, to, port);
              });
  return out + "}\n";
}

}  // namespace millrace::agent
