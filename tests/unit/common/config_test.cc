#include "common/config/visitor.h"
#include "tests/support/catch.h"

namespace {

using millrace::config::Problems;
using millrace::config::Schema;
using millrace::config::Visitor;

enum class Mode { kFast, kSafe };
struct Inner {
  std::uint32_t max_events = 2000;
  std::chrono::milliseconds timeout{5000};
};
void Visit(Visitor& v, Inner& c) {
  v.Field("max_events", c.max_events, "Events per request.").Range(1, 10000);
  v.Seconds("timeout_secs", c.timeout, "Longest wait.");
}
struct Outer {
  std::vector<std::string> endpoints;
  Mode mode = Mode::kFast;
  millrace::config::Bytes limit{1 << 20};
  Inner batch;
  std::map<std::string, std::string> labels;
};
}  // namespace
template <>
struct millrace::config::EnumNames<Mode> {
  static constexpr std::pair<Mode, std::string_view> kList[] = {{Mode::kFast, "fast"},
                                                                {Mode::kSafe, "safe"}};
};
namespace {
void Visit(Visitor& v, Outer& c) {
  v.Field("endpoints", c.endpoints, "Base URLs.").Required().NotEmpty();
  v.Field("mode", c.mode, "How.");
  v.Field("limit", c.limit, "At most.");
  v.Field("batch", c.batch, "Batching.");
  v.Field("labels", c.labels, "Labels.");
}

std::string Load(const std::string& text, Outer& out) {
  Problems problems;
  const YAML::Node root = millrace::config::Parse(text, "a.yaml", problems);
  if (problems.empty()) {
    Visitor v(root, "a.yaml", "", problems);
    Visit(v, out);
  }
  return problems.Text();
}

TEST_CASE("a good file loads, with defaults and variables") {
  ::setenv("MILLRACE_T", "x: [1", 1);
  Outer c;
  REQUIRE(Load("endpoints: ['${MILLRACE_T}', '${NOPE:-d}', 'a$${b}']\nmode: safe\nlimit: 2MiB\n"
               "batch: {timeout_secs: 0.5}\nlabels: {a: b}\n",
               c) == "");
  CHECK(c.endpoints == std::vector<std::string>{"x: [1", "d", "a${b}"});
  CHECK(c.mode == Mode::kSafe);
  CHECK(c.limit.value == 2U << 20);
  CHECK(c.batch.timeout == std::chrono::milliseconds(500));
  CHECK(c.batch.max_events == 2000);
  CHECK(c.labels.at("a") == "b");
}

TEST_CASE("every fault is reported at once, with its place") {
  Outer c;
  CHECK(Load("mode: saef\nbatch:\n  max_event: 3\n  max_events: 0\n  timeout_secs: x\nlimit: "
             "lots\nmode: fast\n",
             c) ==
        "a.yaml:1:1: missing required key \"endpoints\"\n"
        "a.yaml:1:7: mode: must be one of fast, safe, not \"saef\"; did you mean \"safe\"?\n"
        "a.yaml:3:3: batch: unknown key \"max_event\"; did you mean \"max_events\"?\n"
        "a.yaml:4:15: batch.max_events: must be from 1 to 10000\n"
        "a.yaml:5:17: batch.timeout_secs: must be a number\n"
        "a.yaml:6:8: limit: must be a number of bytes, such as 1048576 or 20MiB\n"
        "a.yaml:7:1: key \"mode\" stands here twice\n");
}

TEST_CASE("what is not YAML, an unset variable, a wrong shape") {
  Outer c;
  const std::string torn = Load("a: [", c);
  CHECK(torn.find("a.yaml:") == 0);
  CHECK(torn.find("not YAML") != std::string::npos);
  CHECK(Load("endpoints: ['${SURELY_UNSET_X}']", c) ==
        "a.yaml:1:13: environment variable SURELY_UNSET_X is not set (write "
        "${SURELY_UNSET_X:-default} to give a default)\n");
  CHECK(Load("endpoints: x\nlabels: [1]", c) ==
        "a.yaml:1:12: endpoints: must be a list\na.yaml:2:9: labels: must be a mapping\n");
  CHECK(Load("endpoints: []", c) == "a.yaml:1:12: endpoints: must not be empty\n");
}

TEST_CASE("the schema comes from the same list") {
  Outer c;
  Schema schema;
  {
    Visitor v(schema);
    Visit(v, c);
  }
  const std::string json = ToJsonSchema(schema);
  CHECK(json.find("\"required\": [\"endpoints\"]") != std::string::npos);
  CHECK(json.find("\"enum\": [\"fast\", \"safe\"]") != std::string::npos);
  CHECK(ToMarkdown(schema).find(
            "| `batch.max_events` | integer, 1 to 10000 | `2000` | Events per request. |") !=
        std::string::npos);
}

}  // namespace
