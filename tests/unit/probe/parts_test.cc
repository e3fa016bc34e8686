// The parts without sockets: URLs, CEL, regular expressions, DNS, resolver files, history.
#include <string>

#include "exporters/uptime_probe/cel/program.h"
#include "exporters/uptime_probe/dns/message.h"
#include "exporters/uptime_probe/handler.h"
#include "exporters/uptime_probe/history.h"
#include "exporters/uptime_probe/http/cookies.h"
#include "exporters/uptime_probe/http/transport.h"
#include "exporters/uptime_probe/http/url.h"
#include "exporters/uptime_probe/io/resolver.h"
#include "exporters/uptime_probe/web.h"
#include "tests/support/catch.h"

namespace millrace::uptime_probe {
namespace {

TEST_CASE("references are resolved as RFC 3986 5.4 says") {
  const auto base = web::Url::Parse("http://a/b/c/d;p?q");
  REQUIRE(base.has_value());
  struct Case {
    const char *reference, *url;
  };
  const Case c = GENERATE(
      Case{"g", "http://a/b/c/g"}, Case{"./g", "http://a/b/c/g"}, Case{"g/", "http://a/b/c/g/"},
      Case{"/g", "http://a/g"}, Case{"//g", "http://g"}, Case{"?y", "http://a/b/c/d;p?y"},
      Case{"", "http://a/b/c/d;p?q"}, Case{"..", "http://a/b/"}, Case{"../../g", "http://a/g"},
      Case{"../../../g", "http://a/g"}, Case{"https://x/y/../z", "https://x/z"});
  INFO(c.reference);
  const auto reference = web::Url::Parse(c.reference);
  REQUIRE(reference.has_value());
  CHECK(base->Resolve(*reference).Text() == c.url);
}

TEST_CASE("URLs: parts, escapes and what is refused") {
  const auto url = web::Url::Parse("http://u:p%20w@[fe80::1%25eth0]:8080/a b?x=y z#f");
  REQUIRE(url.has_value());
  CHECK(url->HostName() == "fe80::1%eth0");
  CHECK(url->Port() == "8080");
  CHECK(url->RequestTarget() == "/a%20b?x=y%20z");
  CHECK(url->Redacted().find("p%20w") == std::string::npos);
  CHECK(web::Url::Parse("https://h")->RequestTarget() == "/");
  CHECK(web::Url::Parse("https://h")->PortOrDefault() == "443");
  for (const char* bad :
       {"http://[::1", "http://h:x/", "http://h/%zz", "::x", "http://a b/", "http://h/\n"}) {
    INFO(bad);
    CHECK_FALSE(web::Url::Parse(bad).has_value());
  }
}

TEST_CASE("CEL expressions") {
  const auto body = cel::FromJson(
      R"({"foo":"bar","n":3,"ok":true,"nil":null,"list":[1,2,3],"obj":{"a":{"b":"deep"}},)"
      R"("items":[{"id":1,"s":"up"},{"id":2,"s":"down"}]})");
  REQUIRE(body.has_value());
  const auto run = [&](const std::string& text) -> Result<cel::Value> {
    const auto program = cel::Program::Compile(text);
    if (!program) return tl::make_unexpected(program.error());
    return program->Evaluate(*body, Clock::now() + std::chrono::seconds(60));
  };
  for (const char* yes : {"body.foo == 'bar'",
                          "body.n == 3",
                          "body.n == 3.0",
                          "body.n > 2 && body.n <= 3u",
                          "body.ok",
                          "!(body.ok && false)",
                          "body.nil == null",
                          "body.list[1] == 2",
                          "size(body.list) == 3",
                          "body.obj.a.b.startsWith('d') && body.obj.a.b.endsWith('p')",
                          "body['foo'].contains('a')",
                          "body.foo.matches('^b.r$')",
                          "has(body.foo) && !has(body.nope)",
                          "2.0 in body.list",
                          "'foo' in body",
                          "body.items.exists(i, i.s == 'up')",
                          "body.items.all(i, i.id > 0)",
                          "body.items.exists_one(i, i.id == 2)",
                          "body.items.filter(i, i.id > 1).size() == 1",
                          "body.list.map(x, x * 2.0)[2] == 6.0",
                          "body.list.map(x, x > 1.0, x).size() == 2",
                          "body.n == 3 ? true : body.nope",
                          "body.nope == 1 || true",
                          "true || body.nope == 1",
                          "int(body.n) % 2 == 1",
                          "'a' + 'b' == 'ab'",
                          "-2 + 5 == 3",
                          "double('1.5') == 1.5",
                          "string(1) == '1'",
                          "{'a': [1]} == {'a': [1.0]}",
                          "type(body.foo) == string",
                          "r'\\d' == '\\\\d'",
                          "'\\u00e9'.size() == 1",
                          "\"\"\"x\"\"\" == 'x' // comment"}) {
    INFO(yes);
    const auto v = run(yes);
    INFO((v ? std::string() : v.error().message));
    REQUIRE(v.has_value());
    REQUIRE(v->As<bool>() != nullptr);
    CHECK(*v->As<bool>());
  }
  for (const char* error : {"body.nope == 1", "body.list[9] == 1", "1 / 0 == 1", "body.foo < 1",
                            "body.foo.bar", "9223372036854775807 + 1 == 0", "'a' && true"}) {
    INFO(error);
    CHECK_FALSE(run(error).has_value());
  }
  for (const char* bad : {"", "body.", "1 +", "nope", "has(body)", "body.foo.nope()", "'x", "[1",
                          "f(1)", "body.items.all(1, true)", "99999999999999999999"}) {
    INFO(bad);
    CHECK_FALSE(cel::Program::Compile(bad).has_value());
  }
  CHECK_FALSE(cel::Program::Compile(std::string(5000, '(')).has_value());
  CHECK_FALSE(cel::FromJson("{\"a\":").has_value());
}

TEST_CASE("groups are expanded by Go's rules") {
  const auto r = Regexp::Compile("(?P<word>[a-z]+)-(\\d+)(x)?");
  REQUIRE(r.has_value());
  const auto groups = r->Find("..ab-12..");
  REQUIRE(groups.size() == 4);
  CHECK(r->Expand("$1/${2}/$word/$$/$3/${nope}|$1x|$", groups) == "ab/12/ab/$//||$");
  CHECK(r->Find("none").empty());
}

std::string Answer(const std::string& records, int answers) {
  std::string m("\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  m[7] = static_cast<char>(answers);
  m += std::string(
      "\x01"
      "a\x04test\x00\x00\x01\x00\x01",
      12);
  return m + records;
}

TEST_CASE("DNS answers: records as a zone file has them") {
  using namespace std::string_literals;
  const std::string name = "\xc0\x0c"s;
  const auto record = [&](int type, const std::string& data) {
    std::string r = name;
    r += static_cast<char>(type >> 8);
    r += static_cast<char>(type);
    r += "\x00\x01\x00\x00\x01\x2c"s;
    r += static_cast<char>(data.size() >> 8);
    r += static_cast<char>(data.size());
    return r + data;
  };
  struct Case {
    int type;
    std::string data, text;
  };
  const Case c =
      GENERATE(Case{1, "\xc0\x00\x02\x01"s, "a.test.\t300\tIN\tA\t192.0.2.1"},
               Case{15, "\x00\x0a\x02mx\xc0\x0c"s, "a.test.\t300\tIN\tMX\t10 mx.a.test."},
               Case{16,
                    "\x05p \"q\"\x04"
                    "b\\\x01\xc3"s,
                    "a.test.\t300\tIN\tTXT\t\"p \\\"q\\\"\" \"b\\\\\\001\\195\""},
               Case{33, "\x00\x0a\x00\x3c\x13\xc4\x00"s, "a.test.\t300\tIN\tSRV\t10 60 5060 ."},
               Case{257, "\x00\x05issueca.test"s, "a.test.\t300\tIN\tCAA\t0 issue \"ca.test\""},
               Case{43, "\x12\x34\x08\x02\xab\xcd"s, "a.test.\t300\tIN\tDS\t4660 8 2 ABCD"},
               Case{4711, "\x01\xff"s, "a.test.\t300\tIN\tTYPE4711\t\\# 2 01ff"});
  const auto m = dns::ParseMessage(Answer(record(c.type, c.data), 1));
  REQUIRE(m.has_value());
  CHECK(m->id == 0x1234);
  REQUIRE(m->answer.size() == 1);
  CHECK(m->answer[0].Text() == c.text);
}

TEST_CASE("DNS answers that are broken are refused, however cut") {
  using namespace std::string_literals;
  // A name that points at itself, a length beyond the end, a record that is cut.
  for (const std::string& bad : {"\xc0\x18\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00"s,
                                 "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\xff\x01"s,
                                 "\xc0\x0c\x00\x01\x00\x01\x00\x00"s,
                                 "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x03\x01\x02\x03"s})
    CHECK_FALSE(dns::ParseMessage(Answer(bad, 1)).has_value());
  CHECK_FALSE(dns::ParseMessage("short").has_value());
  // Fewer records than counted, at a record's end: what is there counts.
  CHECK(dns::ParseMessage(Answer("", 5)).has_value());
  CHECK_FALSE(dns::BuildQuery(1, {"a..b", 1, 1}, true).has_value());
  CHECK_FALSE(dns::BuildQuery(1, {std::string(64, 'x'), 1, 1}, true).has_value());
  CHECK(dns::BuildQuery(1, {"a.test", 1, 1}, true)->size() == 24);
}

TEST_CASE("resolver files") {
  const ResolvConf conf = ParseResolvConf(
      "# comment\nnameserver 192.0.2.1\nnameserver bad\nsearch a.test b.test\noptions ndots:3 "
      "timeout:2\n");
  CHECK(conf.servers.size() == 1);
  CHECK(conf.search.size() == 2);
  CHECK(conf.ndots == 3);
  CHECK(conf.timeout == std::chrono::seconds(2));
  const auto found =
      FindInHosts("127.0.0.1 localhost alias # x\n::1 LocalHost\nbad localhost\n", "localhost");
  REQUIRE(found.size() == 2);
  CHECK(found[1].v6);
  const auto none =
      ResolveHost("nosuch.invalid", IpFamily::kAny, Clock::now() + std::chrono::seconds(60));
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == ErrorCode::kNotFound);
}

TEST_CASE("internal addresses") {
  for (const char* ip :
       {"127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "224.0.0.1"})
    CHECK(IsInternal(*ParseIp(ip)));
  for (const char* ip :
       {"192.0.3.1", "8.8.8.8", "172.32.0.1", "2001:4860:4860::8888", "100.128.0.1"})
    CHECK_FALSE(IsInternal(*ParseIp(ip)));
}

TEST_CASE("proxy exemptions") {
  for (const char* list :
       {"*", "example.com", ".example.com", "x,*.example.com", "www.example.com:80"})
    CHECK(web::BypassesProxy(list, "www.example.com", "80"));
  for (const char* list : {"", "ample.com", "www.example.com:81", "10.0.0.0/8"})
    CHECK_FALSE(web::BypassesProxy(list, "www.example.com", "80"));
  CHECK(web::BypassesProxy("10.0.0.0/8", "10.9.8.7", "80"));
  CHECK(web::BypassesProxy("", "localhost", "80"));
}

TEST_CASE("cookies go back where they came from") {
  web::CookieJar jar;
  web::Headers headers;
  headers.Add("Set-Cookie", "a=1; Path=/");
  headers.Add("Set-Cookie", "b=2; Path=/deep; Secure");
  headers.Add("Set-Cookie", "c=3; Domain=other.test");
  headers.Add("Set-Cookie", "d=4; Max-Age=0");
  jar.Store(*web::Url::Parse("http://h.test/x"), headers);
  CHECK(jar.For(*web::Url::Parse("http://h.test/")) == "a=1");
  CHECK(jar.For(*web::Url::Parse("https://h.test/deep/er")) == "b=2; a=1");
  CHECK(jar.For(*web::Url::Parse("http://other.test/")).empty());
}

TEST_CASE("the timeout of a probe") {
  Module module;
  CHECK(ProbeTimeout("", module, 0.5).value() == Approx(119.5));
  CHECK(ProbeTimeout("10", module, 0.5).value() == Approx(9.5));
  module.timeout.value = std::chrono::seconds(5);
  CHECK(ProbeTimeout("10", module, 0.5).value() == Approx(5));
  CHECK(ProbeTimeout("3", module, 0.5).value() == Approx(2.5));
  CHECK(ProbeTimeout("0.3", module, 0.5).value() == Approx(5));
  CHECK_FALSE(ProbeTimeout("x", module, 0.5).has_value());
  CHECK(ProbeTimeout("1e300", Module(), 0.5).value() <= 86400);
}

TEST_CASE("history keeps failures longer than successes") {
  History history(2);
  const auto add = [&](const std::string& target, bool success) {
    auto r = std::make_shared<ProbeResult>();
    r->target = target;
    r->module = "m";
    r->success = success;
    history.Add(r);
  };
  add("bad", false);
  for (int i = 0; i < 5; ++i) add("good", true);
  REQUIRE(history.List().size() == 3);
  CHECK(history.List().front()->id == 5);
  REQUIRE(history.ByTarget("bad", "m") != nullptr);
  CHECK(history.ByTarget("bad", "m")->id == 0);
  CHECK(history.ByTarget("bad", "other") == nullptr);
  CHECK(history.ById(1) == nullptr);
  CHECK(history.ById(0) != nullptr);
}

TEST_CASE("prefixes of the web side") {
  CHECK(MakeWebPrefix("", "")->route == "/");
  CHECK(MakeWebPrefix("http://e.org/bb/", "")->route == "/bb/");
  CHECK(MakeWebPrefix("http://e.org/bb/", "")->external == "http://e.org/bb");
  CHECK(MakeWebPrefix("http://e.org/y", "/x")->route == "/x/");
  CHECK_FALSE(MakeWebPrefix("'http://e.org'", "").has_value());
}

}  // namespace
}  // namespace millrace::uptime_probe
