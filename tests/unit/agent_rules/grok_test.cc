#include "agent/rules/grok/grok.h"

#include <string>

#include "agent/core/json_text.h"
#include "agent/rules/grok/expand.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

std::string Run(const std::vector<std::string>& patterns, std::string_view text,
                GrokNames names = GrokNames::kLegacy, std::uint32_t limit = 100'000) {
  GrokOptions options;
  options.patterns = patterns;
  options.library = &PatternLibrary::BuiltIn(names);
  options.match_limit = limit;
  const auto decoder = GrokDecoder::Make(options);
  if (!decoder) return "fault: " + decoder.error().message;
  Arena arena;
  Decoded out;
  const std::unique_ptr<char[]> copy(new char[text.size()]);
  std::copy(text.begin(), text.end(), copy.get());
  if (const char* why = (*decoder)->Decode({copy.get(), text.size()}, arena, out)) return why;
  Buffer b;
  for (const Field& f : out.fields) {
    b.Append(f.name());
    b.Append('=');
    json::Append(b, Value::Of(f));
    b.Append(' ');
  }
  return std::string(b.view());
}

TEST_CASE("every pattern of the library compiles") {
  for (const GrokNames names : {GrokNames::kLegacy, GrokNames::kEcs}) {
    for (const auto& [name, body] : PatternLibrary::BuiltIn(names).all()) {
      GrokOptions options;
      options.patterns = {"%{" + name + "}"};
      options.library = &PatternLibrary::BuiltIn(names);
      const auto made = GrokDecoder::Make(options);
      INFO(name << ": " << (made ? "" : made.error().message));
      CHECK(made);
    }
  }
}

TEST_CASE("captures become fields: typed, nested, repeated, empty ones not") {
  CHECK(Run({"%{IP:client} %{NUMBER:ms:float} %{INT:n:int} (?<rest>.*)"},
            "10.0.0.1 1.50 12 a\nb") == "client=\"10.0.0.1\" ms=1.5 n=12 rest=\"a\\nb\" ");
  CHECK(Run({"%{WORD:[a][b]} %{INT:[a][c][d]:int} %{DATA:[a][e]}$"}, "x 5 ") ==
        "a={\"b\":\"x\",\"c\":{\"d\":5}} ");
  CHECK(Run({"%{WORD:w} %{WORD:w}"}, "a b") == "w=[\"a\",\"b\"] ");
  CHECK(Run({"^%{INT:i:int}$", "%{WORD:w}"}, "word") == "w=\"word\" ");
  CHECK(Run({"%{INT:i}"}, "none") == "no pattern matches");
}

TEST_CASE("access logs under both names") {
  const char* line =
      R"(1.2.3.4 - bob [10/Oct/2000:13:55:36 -0700] "GET /a?b HTTP/1.1" 200 23 "-" "curl/8")";
  CHECK(
      Run({"%{COMBINEDAPACHELOG}"}, line) ==
      R"(clientip="1.2.3.4" ident="-" auth="bob" timestamp="10/Oct/2000:13:55:36 -0700" verb="GET" request="/a?b" httpversion="1.1" response="200" bytes="23" referrer="\"-\"" agent="\"curl/8\"" )");
  CHECK(
      Run({"%{COMBINEDAPACHELOG}"}, line, GrokNames::kEcs) ==
      R"(source={"address":"1.2.3.4"} user={"name":"bob"} timestamp="10/Oct/2000:13:55:36 -0700" http={"request":{"method":"GET"},"version":"1.1","response":{"status_code":200,"body":{"bytes":23}}} url={"original":"/a?b"} user_agent={"original":"curl/8"} )");
}

TEST_CASE("what Oniguruma reads differently keeps its meaning") {
  CHECK(Run({R"(^(?<hex>\h+)$)"}, "0aF") == "hex=\"0aF\" ");
  CHECK(Run({R"(^(?<x>[[[:alnum:]]_]+)$)"}, "a_1") == "x=\"a_1\" ");
  CHECK(Run({R"(^(?<x>[\h-]+)$)"}, "a-1") == "x=\"a-1\" ");
}

TEST_CASE("no pattern can hang the pipeline") {
  CHECK(Run({"^(?<x>(a+)+)$"}, std::string(40, 'a') + "b", GrokNames::kLegacy, 10'000) ==
        "a pattern hit its limit of backtracking");
  CHECK(Run({"%{GREEDYDATA:x}"}, std::string(1 << 20, '\xff')).starts_with("x="));
  CHECK(Run({"%{COMBINEDAPACHELOG}"}, std::string(10 << 20, 'x')) != "");
}

TEST_CASE("faults of expressions") {
  CHECK(Run({"%{COMBINEDAPACHELOGG}"}, "").find("did you mean \"COMBINEDAPACHELOG\"") !=
        std::string::npos);
  CHECK(Run({"%{IP"}, "").find("without \"}\"") != std::string::npos);
  CHECK(Run({"("}, "").find("does not compile") != std::string::npos);
  CHECK(Run({"%{IP:a:date}"}, "").find("unknown type \"date\"") != std::string::npos);
  PatternLibrary loop;
  loop.Add("A", "%{B}");
  loop.Add("B", "%{A}");
  CHECK(grok::Expand("%{A}", loop).error().message.find("needs itself") != std::string::npos);
  CHECK_FALSE(loop.AddText("ONLYNAME"));
}

}  // namespace
}  // namespace millrace::agent
