// The configuration: what loads, what is refused and where, and how it is shown.
#include "exporters/uptime_probe/config.h"

#include <string>

#include "tests/support/catch.h"

namespace millrace::uptime_probe {
namespace {

std::string Module(const std::string& body) { return "modules:\n  m:\n" + body; }
std::string Http(const std::string& body) {
  return Module("    prober: http\n    http: {" + body + "}\n");
}

TEST_CASE("configurations that load") {
  const std::string text = GENERATE(
      std::string("modules:\n"), std::string("modules: {}\n"), std::string("modules: {m: }\n"),
      Module("    timeout: 5s\n"), Module("    prober: gopher\n"),
      Module("    prober: http\n    timeout: 1m30s\n    http:\n"), Module("    timeout: -1.5s\n"),
      Http("fail_if_ssl: yes"), Http("body_size_limit: 1KB"), Http("body_size_limit: -1B"),
      Http("headers: {A: b, a: c}"), Http("enable_http3: true, enable_http2: false"),
      Http("compression: gzip, headers: {Accept-Encoding: 'br;q=0.5, gzip'}"),
      Http("fail_if_body_matches_regexp: ['\\p{Greek}+', '(?P<x>a)']"),
      Http("fail_if_body_json_matches_cel: \"body.a == 'b'\""), Http("bearer_token: \"${TOKEN}\""),
      Module("    prober: dns\n"), Module("    icmp: {payload_size: -1}\n"),
      std::string("\xef\xbb\xbfmodules: {a: {prober: http}}\n"),
      std::string("modules: {a: {prober: http}}\n---\nmodules: {b: {prober: tcp}}\n"));
  INFO(text);
  const auto c = ParseConfig(text, "f.yml");
  INFO((c ? std::string() : c.error().message));
  CHECK(c.has_value());
}

TEST_CASE("configurations that are refused name the place") {
  struct Case {
    std::string text, message;
  };
  const Case c = GENERATE(
      Case{"", "EOF"}, Case{"foo: 1\n", "f.yml:1:1: unknown key \"foo\""},
      Case{Http("foo: 1"), "modules.m.http: unknown key \"foo\""},
      Case{"modules:\n  a: {prober: http}\n  a: {prober: tcp}\n",
           "line 3: mapping key \"a\" already defined at line 2"},
      Case{"modules:\n\tm: {}\n", "yaml: line 2"},
      Case{"junk: [\n", "yaml: line 1: did not find expected node content"},
      Case{Module("    timeout: 5\n"), "modules.m.timeout: must be a duration"},
      Case{Module("    timeout: 1d\n"), "modules.m.timeout: must be a duration"},
      Case{Http("valid_status_codes: 200"), "must be a list"},
      Case{Http("valid_status_codes: ['200']"), "valid_status_codes[0]"},
      Case{Http("fail_if_ssl: 'true'"), "must be true or false"},
      Case{Http("fail_if_body_matches_regexp: ['(?=a)']"), "cannot compile the regular expression"},
      Case{Http("fail_if_header_matches: [{regexp: a}]"), "missing required key \"header\""},
      Case{Http("fail_if_header_matches: [{header: A, regexp: ''}]"), "must not be empty"},
      Case{Http("basic_auth: {username: a}, bearer_token: x"), "at most one of basic_auth"},
      Case{Http("authorization: {type: Basic}"), "use basic_auth"},
      Case{Http("oauth2: {client_secret: a, token_url: 'http://x/'}"),
           "missing required key \"client_id\""},
      Case{Http("proxy_url: '::bad'"), "missing protocol scheme"},
      Case{Http("no_proxy: a"), "needs proxy_url"},
      Case{Http("tls_config: {min_version: TLS14}"), "min_version"},
      Case{Http("tls_config: {cert_file: a}"), "needs key"},
      Case{Http("body_size_limit: 100"), "number of bytes with a unit"},
      Case{Http("compression: gzip, headers: {Accept-Encoding: deflate}"), "contradicts"},
      Case{Http("compression: gzip, headers: {Accept-Encoding: '*;q=0'}"), "contradicts"},
      Case{Http("fail_if_body_json_matches_cel: 'nope.foo'"), "undeclared reference"},
      Case{Http("fail_if_body_json_matches_cel: 'body.foo =='"), "unexpected end"},
      Case{Http("http_headers: {Host: {values: [a]}}"), "cannot be set here"},
      Case{Http("enable_http3: true"), "enable_http2: false"},
      Case{Http("valid_http_versions: ['HTTP/3.0']"), "needs enable_http3"},
      Case{Module("    dns: {query_type: A}\n"), "query_name"},
      Case{Module("    dns: {query_name: a, query_type: a}\n"), "no such type"},
      Case{Module("    icmp: {ttl: 256}\n"), "from 0 to 255"},
      Case{Module("    tcp: {query_response: [{expect: a, expect_bytes: b}]}\n"),
           "cannot stand beside"});
  INFO(c.text);
  const auto parsed = ParseConfig(c.text, "f.yml");
  REQUIRE_FALSE(parsed.has_value());
  CHECK_THAT(parsed.error().message, Catch::Matchers::Contains(c.message));
}

TEST_CASE("merge keys, binary values and regular expressions keep their meaning") {
  const auto c = ParseConfig(
      "modules:\n"
      "  a: &a {prober: http, timeout: 3s, http: {method: PUT}}\n"
      "  b: {<<: *a, timeout: 4s}\n"
      "  c: {prober: tcp, tcp: {query_response: [{expect_bytes: !!binary AQIA/w==, send: 'x "
      "${1}'}]}}\n",
      "f.yml");
  REQUIRE(c.has_value());
  CHECK(c->modules.at("b").prober == "http");
  CHECK(c->modules.at("b").timeout.value == std::chrono::seconds(4));
  CHECK(c->modules.at("b").http.method == "PUT");
  CHECK(c->modules.at("a").timeout.value == std::chrono::seconds(3));
  const auto& step = c->modules.at("c").tcp.query_response.at(0);
  CHECK(step.expect_bytes == std::string("\x01\x02\x00\xff", 4));
  CHECK(step.send == "x ${1}");
}

TEST_CASE("the shown configuration hides secrets, reads back and stays the same") {
  const std::string text =
      "modules:\n  m:\n    prober: http\n    timeout: 1m30s\n    http:\n"
      "      basic_auth: {username: u, password: topsecret}\n"
      "      headers: {A: 'yes', B: 'a: b', C: \"line\\nbreak\"}\n"
      "      body_size_limit: 1536KiB\n"
      "      fail_if_body_matches_regexp: ['^\\d+$', 'x # y']\n"
      "      fail_if_header_matches: [{header: X, regexp: 'a|b', allow_missing: true}]\n"
      "      proxy_url: http://u:secret@proxy:3128\n"
      "      tls_config: {insecure_skip_verify: true, min_version: TLS12}\n"
      "    dns: {query_name: a.test, valid_rcodes: [NXDOMAIN]}\n";
  const auto c = ParseConfig(text, "f.yml");
  REQUIRE(c.has_value());
  const std::string shown = DumpConfig(*c);
  INFO(shown);
  CHECK(shown.find("secret@") == std::string::npos);
  CHECK(shown.find("topsecret") == std::string::npos);
  CHECK_THAT(shown, Catch::Matchers::Contains("password: <secret>"));
  CHECK_THAT(shown, Catch::Matchers::Contains("timeout: 1m30s"));
  CHECK_THAT(shown, Catch::Matchers::Contains("body_size_limit: 1MiB512KiB"));
  const auto again = ParseConfig(shown, "shown.yml");
  REQUIRE(again.has_value());
  CHECK(DumpConfig(*again) == shown);
}

}  // namespace
}  // namespace millrace::uptime_probe
