#include "agent/topology/graph.h"

#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

std::string Faults(const std::string& text) {
  config::Problems problems;
  const AgentConfig config = LoadConfigText(text, "a.yaml", problems);
  if (problems.empty()) static_cast<void>(BuildGraph(config, problems));
  return problems.Text();
}

TEST_CASE("a whole configuration has no faults") {
  CHECK(Faults("sources: {in: {type: generator, count: 3}}\nsinks: {out: {type: summary, inputs: "
               "[in]}}\n") == "");
  CHECK(Faults("sources: {a1: {type: generator}, a2: {type: generator}}\nsinks: {out: {type: "
               "summary, inputs: ['a*']}}\n") == "");
}

TEST_CASE("component faults are all reported at once, with their places") {
  CHECK(Faults("sources:\n  in: {type: generator, coutn: 3}\n  b: {type: genertor}\nsinks:\n  o u: "
               "{}\n  out: {inputs: [in]}\n") ==
        "a.yaml:2:25: sources.in: unknown key \"coutn\"; did you mean \"count\"?\n"
        "a.yaml:3:13: sources.b.type: there is no source of type \"genertor\"; did you mean "
        "\"generator\"? (known: " +
            [] {
              std::string known;
              for (const auto& e : Sources())
                known += (known.empty() ? "" : ", ") + std::string(e.type);
              return known;
            }() +
            ")\n"
            "a.yaml:5:3: sinks: \"o u\" is not a component name (letters, digits, _ and -)\n"
            "a.yaml:6:8: sinks.out: missing required key \"type\"\n");
}

TEST_CASE("graph faults: missing input, unused component, no sink, an empty file") {
  CHECK(Faults("sources: {in: {type: generator}, idle: {type: generator}}\nsinks: {out: {type: "
               "summary, inputs: [in, inn]}}\n") ==
        "a.yaml:1:34: sources.idle: nothing reads from this component\n"
        "a.yaml:2:43: sinks.out.inputs: there is no source or transform \"inn\"; did you mean "
        "\"in\"?\n");
  CHECK(Faults("") ==
        "configuration:1:1: sources: at least one source is needed\nconfiguration:1:1: sinks: at "
        "least one sink is needed\n");
  CHECK(Faults("sources: {in: {type: generator}}\nsinks: {}\nsnks: {}\n") ==
        "a.yaml:3:1: unknown key \"snks\"; did you mean \"sinks\"?\n");
}

TEST_CASE("the picture of a graph") {
  config::Problems problems;
  const AgentConfig config = LoadConfigText(
      "sources: {in: {type: generator}}\nsinks: {out: {type: summary, inputs: [in]}}\n", "a.yaml",
      problems);
  const Graph graph = BuildGraph(config, problems);
  CHECK(ToMermaid(config, graph).find("in --> sink_out") != std::string::npos);
  CHECK(ToDot(config, graph).find("\"in\" -> \"sink_out\"") != std::string::npos);
}

TEST_CASE("the schema and the reference name every component") {
  const std::string schema = ConfigJsonSchema(), reference = ConfigReference();
  for (const auto& e : Sources()) {
    CHECK(schema.find("\"" + std::string(e.type) + "\"") != std::string::npos);
    CHECK(reference.find("### `" + std::string(e.type) + "`") != std::string::npos);
  }
}

}  // namespace
}  // namespace millrace::agent
