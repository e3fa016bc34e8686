#include "tests/support/catch.h"
#include "tests/unit/agent_transforms/harness.h"

namespace millrace::agent {
namespace {

using Out = std::vector<std::string>;

TEST_CASE("json: the text is copied and what was added goes behind it") {
  CHECK(RunLines("type: json", {R"({"a": 1,"b":{"c":"\u00e9"}})", "{}"}) ==
        Out{R"({"a": 1,"b":{"c":"\u00e9"}})", "{}"});
  CHECK(RunLines("{type: json, drop_field: false}", {R"({"a":1})"}) ==
        Out{R"({"a":1,"message":"{\"a\":1}"})"});
  CHECK(RunLines("{type: json}", {R"({"message":"inner","a":1})"}) ==
        Out{R"({"message":"inner","a":1})"});
}

TEST_CASE("json: into a target field") {
  CHECK(RunLines("{type: json, target_field: .p}", {R"({"a":1})", "[1, 2]", "\"x\""}) ==
        Out{R"({"p":{"a":1}})", R"({"p":[1, 2]})", R"({"p":"x"})"});
  CHECK(RunLines("{type: json, target_field: .p.q, drop_field: false}", {R"({"a":1})"}) ==
        Out{R"({"message":"{\"a\":1}","p":{"q":{"a":1}}})"});
}

TEST_CASE("json: fields that were there stay, or give way to a new one of their name") {
  CHECK(RunObjects("{type: json, field: .raw}", {R"({"x":1,"raw":"{\"y\":2,\"x\":3}","z":4})"}) ==
        Out{R"({"y":2,"x":3,"z":4})"});
  CHECK(RunObjects("{type: json, field: .o.raw}", {R"({"o":{"raw":"{\"y\":2}","k":1}})"}) ==
        Out{R"({"y":2,"o":{"k":1}})"});
}

TEST_CASE("what cannot be parsed is kept, dropped or routed, and counted") {
  const double before = Counted("errors", "parse_failed");
  CHECK(RunLines("type: json", {"no", R"({"a":1})"}) ==
        Out{R"({"message":"no","_parse_error":"not a JSON object"})", R"({"a":1})"});
  CHECK(Counted("errors", "parse_failed") == before + 1);
  CHECK(RunLines("{type: json, on_failure: drop}", {"no", R"({"a":1})"}) == Out{R"({"a":1})"});
  CHECK(RunLines("{type: json, on_failure: route, error_field: ''}", {"no", R"({"a":1})"}) ==
        Out{R"(1:{"message":"no"})", R"({"a":1})"});
  CHECK(MakeTransform("{type: json, on_failure: route}").outputs == Out{"failed"});
  CHECK(RunObjects("type: json", {R"({"message":7})", R"({"x":1})"}) ==
        Out{R"({"message":7,"_parse_error":"the field is not a string"})",
            R"({"x":1,"_parse_error":"the field is absent"})"});
}

TEST_CASE("nginx: fields and the event's time") {
  CHECK(
      RunLines(
          "type: nginx",
          {R"(1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 23 "-" "curl")"}) ==
      Out{R"({"client":"1.2.3.4","request":"GET /a HTTP/1.0","status":200,"size":23,"referer":"-","agent":"curl","timestamp":"2000-10-10T20:55:36Z"})"});
}

TEST_CASE("add_fields: types as YAML gives them, templates, paths") {
  CHECK(
      RunLines(R"({type: add_fields, fields: {a: 1, b: "1", c: true, d: 1.5, e: [1, x], f: null}})",
               {"m"}) ==
      Out{R"({"message":"m","a":1,"b":"1","c":true,"d":1.5,"e":[1,"x"],"f":null})"});
  CHECK(RunLines(R"({type: add_fields, fields: {.k.app: "x-{{ message }}"}})", {"m"}) ==
        Out{R"({"message":"m","k":{"app":"x-m"}})"});
  CHECK(RunLines("{type: add_fields, fields: {message: n}}", {"m"}) == Out{R"({"message":"n"})"});
  CHECK(RunLines("{type: add_fields, overwrite: false, fields: {message: n, a: 1}}", {"m"}) ==
        Out{R"({"message":"m","a":1})"});
}

TEST_CASE("remove, keep, rename and copy") {
  const Out in = {R"({"a":1,"b":{"c":2,"d":3},"e":"x"})"};
  CHECK(RunObjects("{type: remove_fields, fields: [a, .b.c, zzz]}", in) ==
        Out{R"({"b":{"d":3},"e":"x"})"});
  CHECK(RunObjects("{type: keep_fields, fields: [e, .b.d]}", in) ==
        Out{R"({"e":"x","b":{"d":3}})"});
  CHECK(RunObjects("{type: rename_fields, fields: {a: z, .b.c: c, zzz: y}}", in) ==
        Out{R"({"z":1,"b":{"d":3},"e":"x","c":2})"});
  CHECK(RunObjects("{type: copy_fields, fields: {a: .b.x}}", in) ==
        Out{R"({"a":1,"b":{"c":2,"d":3,"x":1},"e":"x"})"});
}

TEST_CASE("filter keeps what meets the condition and counts the rest") {
  const double before = Counted("discarded", "filtered");
  CHECK(RunObjects("{type: filter, condition: '.n > 1'}", {R"({"n":1})", R"({"n":2})", "{}"}) ==
        Out{R"({"n":2})"});
  CHECK(Counted("discarded", "filtered") == before + 2);
}

TEST_CASE("route sends an event to every output it matches, in order") {
  const char* yaml = R"(
type: route
route:
  big: .n > 2
  odd: .n % 2 == 1
)";
  CHECK(MakeTransform(yaml).outputs == Out{"big", "odd", "_unmatched"});
  CHECK(RunObjects(yaml, {R"({"n":1})", R"({"n":3})", R"({"n":2})", R"({"n":5})", R"({"n":4})"}) ==
        Out{R"(2:{"n":1})", R"(1:{"n":3})", R"(2:{"n":3})", R"(3:{"n":2})", R"(1:{"n":5})",
            R"(2:{"n":5})", R"(1:{"n":4})"});
  CHECK(RunObjects(std::string(yaml) + "reroute_unmatched: false\n", {R"({"n":2})"}).empty());
}

TEST_CASE("exclusive_route stops at the first match") {
  CHECK(
      RunObjects(
          R"({type: exclusive_route, routes: [{name: big, condition: .n > 2}, {name: odd, condition: .n % 2 == 1}]})",
          {R"({"n":1})", R"({"n":3})", R"({"n":2})"}) ==
      Out{R"(2:{"n":1})", R"(1:{"n":3})", R"(3:{"n":2})"});
}

TEST_CASE("faults of a configuration stand at their line and column") {
  CHECK(MakeTransform("type: filter\ncondition: '.a = 1'\n").problems ==
        "test.yaml:2:16: t.condition: \"=\" is no operator; did you mean \"==\"? (at \".a \" <- "
        "here -> \"= 1\")\n");
  CHECK(
      MakeTransform("type: route\nroute:\n  x: nope == 1\n").problems.rfind("test.yaml:3:6: ", 0) ==
      0);
  CHECK(MakeTransform("{type: remove_fields, fields: [.a..b]}").problems.find("not a path") !=
        std::string::npos);
  CHECK(MakeTransform("{type: add_fields, fields: {.a..b: 1}}").problems.find("not a path") !=
        std::string::npos);
  CHECK(MakeTransform("{type: json, feild: x}").problems.find("did you mean \"field\"") !=
        std::string::npos);
  CHECK(MakeTransform("{type: filter}").problems.find("missing required key") != std::string::npos);
}

}  // namespace
}  // namespace millrace::agent
