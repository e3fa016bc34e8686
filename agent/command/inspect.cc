// Commands that run nothing: validate, graph, schema, reference, list.
#include <cstdio>

#include <fmt/format.h>

#include "agent/command/commands.h"
#include "agent/command/running.h"
#include "agent/topology/topology.h"

namespace millrace::agent {

int Validate(const std::string& config, bool online) {
  Loaded loaded = LoadAndCheck(config);
  if (!loaded.problems.empty()) {
    std::fputs(loaded.problems.Text().c_str(), stderr);
    std::fprintf(stderr, "%zu problem(s)\n", loaded.problems.size());
    return kExitConfig;
  }
  const std::size_t sources = loaded.config.sources.size(),
                    transforms = loaded.config.transforms.size(),
                    sinks = loaded.config.sinks.size();
  MetricsRegistry metrics;
  // Making the components finds what options alone cannot show; nothing is started, nothing
  // connects.
  auto topology = Topology::Make(std::move(loaded.config), std::move(loaded.graph), metrics);
  if (!topology) {
    std::fprintf(stderr, "%s: %s\n", config.c_str(), topology.error().message.c_str());
    return kExitConfig;
  }
  int status = 0;
  if (online) {
    for (const auto& spec : (*topology)->config().sinks) {
      const Status answer = (*topology)->FindSink(spec.id)->Probe(std::chrono::seconds(10));
      std::printf("sinks.%s: %s\n", spec.id.c_str(),
                  answer ? "ok" : answer.error().message.c_str());
      if (!answer) status = 1;
    }
  }
  std::printf("%s: valid (%zu sources, %zu transforms, %zu sinks)\n", config.c_str(), sources,
              transforms, sinks);
  return status;
}

int PrintGraph(const std::string& config, bool dot) {
  const Loaded loaded = LoadAndCheck(config);
  if (!loaded.problems.empty()) {
    std::fputs(loaded.problems.Text().c_str(), stderr);
    return kExitConfig;
  }
  std::fputs(
      (dot ? ToDot(loaded.config, loaded.graph) : ToMermaid(loaded.config, loaded.graph)).c_str(),
      stdout);
  return 0;
}

int PrintSchema() {
  std::fputs(ConfigJsonSchema().c_str(), stdout);
  return 0;
}

int PrintReference() {
  std::fputs(ConfigReference().c_str(), stdout);
  return 0;
}

int PrintComponents() {
  const auto print = [](const char* kind, const auto& table) {
    for (const auto& entry : table)
      std::fputs(fmt::format("{:<10} {:<18} {}\n", kind, entry.type, entry.summary).c_str(),
                 stdout);
  };
  print("source", Sources());
  print("transform", Transforms());
  print("sink", Sinks());
  return 0;
}

}  // namespace millrace::agent
