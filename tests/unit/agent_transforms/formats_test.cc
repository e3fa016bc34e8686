#include "tests/support/catch.h"
#include "tests/unit/agent_transforms/harness.h"

namespace millrace::agent {
namespace {

using Out = std::vector<std::string>;

std::string One(std::string_view yaml, const std::string& line) {
  return RunLines(yaml, {line}).at(0);
}

TEST_CASE("logfmt") {
  CHECK(
      One("type: logfmt", R"(ts=1 level=error msg="a \"b\" c" empty= flag dur=1.5s q='x y')") ==
      R"({"ts":"1","level":"error","msg":"a \"b\" c","empty":"","flag":true,"dur":"1.5s","q":"x y"})");
  CHECK(One("{type: logfmt, infer_types: true}", R"(a=12 b=-1.5e3 c=true d="12" e=012 f=x)") ==
        R"({"a":12,"b":-1.5e3,"c":true,"d":"12","e":"012","f":"x"})");
  CHECK(One("type: logfmt", "a=1 a=2 a=3") == R"({"a":["1","2","3"]})");
  CHECK(One("type: logfmt", "just words") ==
        R"({"message":"just words","_parse_error":"no key=value pair"})");
  CHECK(One("type: logfmt", R"(a="open)").find("a quote is not closed") != std::string::npos);
}

TEST_CASE("key_value with other delimiters") {
  CHECK(One("{type: key_value, field_delimiter: ',', key_value_delimiter: ':'}",
            R"("zork one" : "zo\"g"  ,   nonk   : nink, , solo)") ==
        R"({"zork one":"zo\"g","nonk":"nink","solo":true})");
  CHECK(One("{type: key_value, whitespace: strict, field_delimiter: ';'}", "a= b ;c=d") ==
        R"({"a":" b ","c":"d"})");
  CHECK(One("{type: key_value, accept_standalone_key: false}", "a b=c")
            .find("a word without a value") != std::string::npos);
}

TEST_CASE("csv") {
  CHECK(One("{type: csv, columns: [a, b, c], infer_types: true}", R"(1,"x ""y"", z",,4)") ==
        R"({"a":1,"b":"x \"y\", z","c":"","column4":4})");
  CHECK(One("{type: csv, delimiter: ';', target_field: .row}", "a;\"b\nc\";") ==
        R"({"row":["a","b\nc",""]})");
  CHECK(One("{type: csv, columns: [a]}", "\"x").find("a quote is not closed") != std::string::npos);
  CHECK(MakeTransform("type: csv").problems.find("columns or target_field") != std::string::npos);
}

TEST_CASE("syslog, both kinds") {
  CHECK(
      One("type: syslog",
          R"(<13>1 2020-03-13T20:45:38.119Z host.name non 2426 ID931 [ex@1 a="3" b="x \"\]\\ y"][e2] It is)") ==
      R"({"facility":"user","severity":"notice","version":1,"hostname":"host.name","appname":"non","procid":2426,"msgid":"ID931","ex@1":{"a":"3","b":"x \"]\\ y"},"e2":{},"message":"It is","timestamp":"2020-03-13T20:45:38.119Z"})");
  CHECK(One("type: syslog", "<0>1 - - - - - -") ==
        R"({"facility":"kern","severity":"emerg","version":1})");
  CHECK(
      One("{type: syslog, timezone: Europe/Berlin}",
          "<34>Oct 11 2020 22:14:15 mymachine su[12]: 'su root' failed") ==
      R"({"facility":"auth","severity":"crit","hostname":"mymachine","appname":"su","procid":12,"message":"'su root' failed","timestamp":"2020-10-11T20:14:15Z"})");
  CHECK(
      One("type: syslog", "2024-05-06T07:08:09+02:00 web-1 app: hello: world") ==
      R"({"hostname":"web-1","appname":"app","message":"hello: world","timestamp":"2024-05-06T05:08:09Z"})");
  for (const char* bad :
       {"", "<", "<999>x", "<13>1 nonsense", "no syslog at all",
        "<13>1 2020-03-13T20:45:38Z h a p m [x", "<13>1 2020-03-13T20:45:38Z h"}) {
    INFO(bad);
    CHECK(One("type: syslog", bad).find("_parse_error") != std::string::npos);
  }
}

TEST_CASE("dissect cuts at delimiters") {
  CHECK(One("{type: dissect, pattern: '<%{pri}>%{ts} %{+ts} %{level->} [%{?thread}] %{ms}ms %{}: "
            "%{rest}', infer_types: true}",
            "<13>2024-05-06 07:08:09 INFO    [main] 12ms x: it is: done") ==
        R"({"pri":13,"ts":"2024-05-06 07:08:09","level":"INFO","ms":12,"rest":"it is: done"})");
  CHECK(One("{type: dissect, pattern: '%{+n/2} %{+n/1} %{c}'}", "b a c") ==
        R"({"n":"a b","c":"c"})");
  CHECK(One("{type: dissect, pattern: '%{a}, %{b}'}", "no delimiter")
            .find("a delimiter is missing") != std::string::npos);
  CHECK(One("{type: dissect, pattern: 'x%{a}'}", "yz").find("does not start") != std::string::npos);
  for (const char* bad : {"plain", "%{a}%{b}", "%{a", "%{&a} %{b}", "%{+a/x} %{b}"}) {
    INFO(bad);
    CHECK(MakeTransform(std::string("{type: dissect, pattern: '") + bad + "'}").transform ==
          nullptr);
  }
}

TEST_CASE("grok through the configuration") {
  CHECK(One("{type: grok, patterns: ['%{IP:[src][ip]} %{ORDER:order} %{INT:n:int}'], "
            "pattern_definitions: {ORDER: 'ORD-\\d+'}}",
            "10.1.1.1 ORD-77 5") == R"({"src":{"ip":"10.1.1.1"},"order":"ORD-77","n":5})");
  CHECK(MakeTransform("{type: grok, patterns: ['%{NOPE:x}']}").problems.find("unknown pattern") !=
        std::string::npos);
}

TEST_CASE("regex takes the first pattern that is found, with types") {
  const char* yaml = R"(
type: regex
patterns: ['^(?P<verb>[A-Z]+) (?P<path>\S+) (?P<ms>\d+)ms', '(?P<error>fatal|panic): (?P<why>.*)']
types: {ms: int}
)";
  CHECK(RunLines(yaml, {"GET /x 12ms", "so panic: it's over", "nothing"}) ==
        Out{R"({"verb":"GET","path":"/x","ms":12})", R"({"error":"panic","why":"it's over"})",
            R"({"message":"nothing","_parse_error":"no pattern matches"})"});
  CHECK(MakeTransform("{type: regex, patterns: ['(']}").problems.find("does not compile") !=
        std::string::npos);
  CHECK(MakeTransform("{type: regex, patterns: ['x']}").problems.find("no named capture") !=
        std::string::npos);
  CHECK(MakeTransform("{type: regex, patterns: ['(?P<a>x)'], types: {b: int}}")
            .problems.find("no pattern captures \"b\"") != std::string::npos);
}

TEST_CASE("error logs of nginx and Apache") {
  CHECK(
      One("{type: nginx, format: error}",
          R"x(2021/04/01 13:02:31 [error] 31#32: *1 open() "/x, y" failed (2: No such file), client: 172.17.0.1, server: , request: "POST /a, b HTTP/1.1", host: "localhost:8081", referrer: "")x") ==
      R"x({"severity":"error","pid":31,"tid":32,"cid":1,"client":"172.17.0.1","server":"","request":"POST /a, b HTTP/1.1","host":"localhost:8081","referer":"","message":"open() \"/x, y\" failed (2: No such file)","timestamp":"2021-04-01T13:02:31Z"})x");
  CHECK(
      One("{type: nginx, format: error}", "2021/06/17 19:25:59 [notice] 1#1: started") ==
      R"({"severity":"notice","pid":1,"tid":1,"message":"started","timestamp":"2021-06-17T19:25:59Z"})");
  CHECK(
      One("{type: apache, format: error, timezone: '+02:00'}",
          "[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 432] [client "
          "72.15.99.187:1234] [x] missing") ==
      R"({"module":"core","severity":"error","pid":35708,"thread":"432","port":1234,"client":"72.15.99.187","message":"[x] missing","timestamp":"2011-09-09T08:42:29.902022Z"})");
}

TEST_CASE("timestamp sets the event's time") {
  CHECK(RunObjects("{type: timestamp, field: t}", {R"({"t":"2024-05-06T07:08:09Z"})"}) ==
        Out{R"({"t":"2024-05-06T07:08:09Z","timestamp":"2024-05-06T07:08:09Z"})"});
  CHECK(RunObjects("{type: timestamp, field: .a.t, formats: [unix_ms], drop_field: true}",
                   {R"({"a":{"t":1700000000001}})"}) ==
        Out{R"({"a":{},"timestamp":"2023-11-14T22:13:20.001Z"})"});
  CHECK(RunObjects(
            "{type: timestamp, field: timestamp, formats: ['%d/%m/%Y'], timezone: Europe/Paris}",
            {R"({"timestamp":"16/10/2019"})"}) == Out{R"({"timestamp":"2019-10-15T22:00:00Z"})"});
  CHECK(RunObjects("{type: timestamp, field: t, target_field: .x.y}", {R"({"t":1700000000})"}) ==
        Out{R"({"t":1700000000,"x":{"y":"2023-11-14T22:13:20Z"}})"});
  CHECK(RunObjects("{type: timestamp, field: t, on_failure: drop}", {R"({"t":"2024-02-30"})"})
            .empty());
  CHECK(MakeTransform("{type: timestamp, field: t, formats: ['%Q']}")
            .problems.find("unknown conversion %Q") != std::string::npos);
  CHECK(MakeTransform("{type: timestamp, field: t, timezone: Mars/X}")
            .problems.find("no \"Mars/X\"") != std::string::npos);
}

TEST_CASE("convert changes types and marks what cannot be changed") {
  CHECK(
      RunObjects("{type: convert, fields: {i: int, f: float, b: bool, s: string, t: timestamp|%Y, "
                 ".o.n: int}}",
                 {R"({"i":"42","f":"1.5","b":"yes","s":7,"t":"2024","o":{"n":"-3"},"z":null})"}) ==
      Out{R"({"i":42,"f":1.5,"b":true,"s":"7","t":"2024-01-01T00:00:00Z","o":{"n":-3},"z":null})"});
  CHECK(RunObjects("{type: convert, fields: {i: int}}", {R"({"i":"x"})", "{}"}) ==
        Out{R"({"i":"x","_parse_error":"a value cannot have the type that is wanted"})", "{}"});
  CHECK(MakeTransform("{type: convert, fields: {i: itn}}").problems.find("did you mean \"int\"") !=
        std::string::npos);
}

TEST_CASE("hostile input is refused or taken, never lost") {
  const std::string long_line(10 << 20, 'x');
  std::string many;
  for (int i = 0; i < 50'000; ++i) many += "k" + std::to_string(i) + "=v ";
  const Out lines = {long_line,
                     many,
                     std::string("a=\0b\xff\xfe=\"", 9),
                     "\xff\xfe\xfd",
                     "\"\"\"\"",
                     std::string(10'000, '['),
                     std::string(10'000, '"'),
                     "",
                     " ",
                     "=",
                     "= =",
                     "<"};
  for (const char* type :
       {"{type: json}", "{type: logfmt}", "{type: key_value}", "{type: csv, columns: [a]}",
        "{type: syslog}", "{type: nginx}", "{type: nginx, format: error}", "{type: apache}",
        "{type: apache, format: error}", "{type: regex, patterns: ['(?P<x>a+)+$']}",
        "{type: timestamp, field: message}"}) {
    INFO(type);
    CHECK(RunLines(type, lines).size() == lines.size());
  }
}

}  // namespace
}  // namespace millrace::agent
