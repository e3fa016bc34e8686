#include "common/http/web_config.h"

#include <chrono>
#include <string>

#include "common/http/basic_auth.h"
#include "common/http/listen.h"
#include "tests/support/catch.h"

namespace millrace::http {
namespace {

using namespace std::chrono_literals;

// bcrypt of "secret" with cost 4.
const std::string kSecret = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

std::string ErrorOf(const std::string& text) {
  const auto c = ParseWebConfig(text, "web.yml", "/etc/x");
  return c ? "" : c.error().message;
}

TEST_CASE("An empty web configuration is plain HTTP") {
  for (const char* text :
       {"", "# nothing\n", "tls_server_config: {}\n", "basic_auth_users: {}\n"}) {
    INFO(text);
    const auto c = ParseWebConfig(text, "web.yml", "/etc/x");
    REQUIRE(c);
    CHECK(c->tls.Empty());
    CHECK(c->users.empty());
    CHECK(c->http2);
  }
}

TEST_CASE("A web configuration is read whole") {
  const auto c = ParseWebConfig(
      "tls_server_config:\n"
      "  cert_file: a.crt\n"
      "  key_file: /abs/a.key\n"
      "  client_auth_type: RequireAndVerifyClientCert\n"
      "  client_ca_file: sub/ca.crt\n"
      "  client_allowed_sans: [one, two]\n"
      "  min_version: TLS12\n"
      "  max_version: TLS13\n"
      "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n"
      "  curve_preferences: [X25519, CurveP256]\n"
      "  prefer_server_cipher_suites: false\n"
      "http_server_config:\n"
      "  http2: false\n"
      "  headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=1}\n"
      "rate_limit: {interval: 1m30s, burst: 5}\n"
      "basic_auth_users: {u: '" +
          kSecret + "'}\n",
      "web.yml", "/etc/x");
  REQUIRE(c);
  CHECK(c->tls.cert_file == "/etc/x/a.crt");
  CHECK(c->tls.key_file == "/abs/a.key");
  CHECK(c->tls.client_ca_file == "/etc/x/sub/ca.crt");
  CHECK(c->tls.client_allowed_sans == std::vector<std::string>{"one", "two"});
  CHECK_FALSE(c->http2);
  CHECK(c->headers.at("X-Frame-Options") == "deny");
  CHECK(c->rate_interval == 90s);
  CHECK(c->rate_burst == 5);
  CHECK(c->users.at("u") == kSecret);
}

TEST_CASE("Faults of a web configuration have a place and a reason") {
  struct Case {
    std::string text, error;
  };
  const std::string tls = "tls_server_config: {cert_file: a, key_file: b";
  const Case cases[] = {
      {"foo: 1\n", "web.yml:1:1: unknown key \"foo\""},
      {"- a\n", "must be a mapping"},
      {"hllo: [", "not YAML"},
      {",", "more than one YAML document"},
      {"{}\n---\n{}\n", "web.yml:2:1: more than one YAML document"},
      {"\tx: 1\n", "not YAML"},
      {"rate_limit: {burst: 1}\nrate_limit: {burst: 2}\n", "web.yml:2:1: key \"rate_limit\""},
      {"tls_server_config:\n  cert_filse: x\n", "did you mean \"cert_file\""},
      {"tls_server_config: {cert_file: a}\n", "missing one of key or key_file"},
      {"tls_server_config: {key_file: a}\n", "missing one of cert or cert_file"},
      {"tls_server_config: {client_auth_type: x}\n", "missing one of cert or cert_file"},
      {tls + ", min_version: TLS14}\n", "must be one of TLS10, TLS11, TLS12, TLS13"},
      {tls + ", cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}\n", "unknown cipher"},
      {tls + ", curve_preferences: [P1]}\n", "unknown curve"},
      {tls + ", client_auth_type: Foo}\n", "invalid client_auth_type \"Foo\""},
      {tls + ", client_ca_file: c}\n", "without a client_auth_type"},
      {tls + ", cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]}\n", "HTTP/2 requires"},
      {"http_server_config: {headers: {X-Foo: a}}\n", "header \"X-Foo\" can not be configured"},
      {"http_server_config: {headers: {x-frame-options: deny}}\n", "can not be configured"},
      {"http_server_config: {headers: {X-Frame-Options: \"\"}}\n", "invalid value"},
      {"http_server_config: {http2: maybe}\n", "must be true or false"},
      {"basic_auth_users: {u: secret}\n", "user \"u\": too short"},
      {"basic_auth_users: [a]\n", "must be a mapping"},
      {"rate_limit: {interval: soon}\n", "must be a duration"},
      {"rate_limit: {burst: x}\n", "must be a whole number"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK_THAT(ErrorOf(c.text), Catch::Contains(c.error));
  }
}

TEST_CASE("Durations in Go's words") {
  CHECK(ParseGoDuration("1m30s") == 90s);
  CHECK(ParseGoDuration("-1.5h") == -90min);
  CHECK(ParseGoDuration("0") == 0s);
  CHECK(ParseGoDuration("5") == 5ns);
  CHECK_FALSE(ParseGoDuration("1d"));
  CHECK_FALSE(ParseGoDuration("soon"));
  CHECK_FALSE(ParseGoDuration(""));
}

TEST_CASE("The rate limiter gives tokens back with time") {
  const auto t = std::chrono::steady_clock::time_point(1h);
  RateLimiter limiter(1s, 2);
  CHECK(limiter.Allow(t));
  CHECK(limiter.Allow(t));
  CHECK_FALSE(limiter.Allow(t));
  CHECK_FALSE(limiter.Allow(t + 900ms));
  CHECK(limiter.Allow(t + 1900ms));
  CHECK(limiter.Allow(t + 1h));
  CHECK(limiter.Allow(t + 1h));
  CHECK_FALSE(limiter.Allow(t + 1h));

  RateLimiter none(1s, 0), off(0s, 0), negative(-1s, 1);
  CHECK_FALSE(none.Allow(t));
  for (int i = 0; i < 3; ++i) {
    CHECK(off.Allow(t));
    CHECK(negative.Allow(t));
  }
}

TEST_CASE("The Authorization field") {
  const auto c = ParseBasicAuth("Basic dTpzZWM6cmV0");
  REQUIRE(c);
  CHECK(c->user == "u");
  CHECK(c->password == "sec:ret");
  CHECK_FALSE(ParseBasicAuth("Basic !!!"));
  CHECK_FALSE(ParseBasicAuth("Basic dT$p"));
  CHECK_FALSE(ParseBasicAuth("Bearer x"));
  CHECK_FALSE(ParseBasicAuth(""));
  CHECK_FALSE(ParseBasicAuth("Basic " + std::string("bm9jb2xvbg==")));
}

TEST_CASE("bcrypt hashes are checked when they are configured") {
  CHECK(CheckBcryptHash(kSecret).empty());
  CHECK_FALSE(CheckBcryptHash("secret").empty());
  CHECK_FALSE(CheckBcryptHash("").empty());
  CHECK_FALSE(CheckBcryptHash(kSecret.substr(0, 30)).empty());
  for (const char* bad : {"$2b$99$", "$2b$03$", "$2x$10$", "$5b$10$", "$2b$1a$"}) {
    INFO(bad);
    CHECK_FALSE(CheckBcryptHash(bad + kSecret.substr(7)).empty());
  }
}

TEST_CASE("Passwords are checked and remembered") {
  const std::map<std::string, std::string> users = {{"u", kSecret}};
  REQUIRE(BcryptMatches(kSecret, "secret"));
  CHECK_FALSE(BcryptMatches(kSecret, "Secret"));
  CHECK_FALSE(BcryptMatches(kSecret, std::string("secret\0x", 8)));
  PasswordChecker checker;
  for (int i = 0; i < 3; ++i) {
    CHECK(checker.Check(users, {"u", "secret"}) == AuthResult::kYes);
    CHECK(checker.Check(users, {"u", "wrong"}) == AuthResult::kNo);
    CHECK(checker.Check(users, {"x", "secret"}) == AuthResult::kNo);
  }
  // A removed user is out at once, whatever is remembered.
  CHECK(checker.Check({}, {"u", "secret"}) == AuthResult::kNo);
}

TEST_CASE("Listen addresses are split as Go does") {
  const auto split = [](const char* text) {
    const auto r = SplitHostPort(text);
    return r ? r->host + "|" + r->port : "error";
  };
  CHECK(split("127.0.0.1:9100") == "127.0.0.1|9100");
  CHECK(split(":9100") == "|9100");
  CHECK(split("[::1]:9100") == "::1|9100");
  CHECK(split("localhost:http") == "localhost|http");
  CHECK(split("abc") == "error");
  CHECK(split("::1:9100") == "error");
  CHECK(split("[::1") == "error");
  CHECK_FALSE(Listen("127.0.0.1:99999"));
  CHECK_FALSE(Listen("unix:///tmp/x.sock"));
}

}  // namespace
}  // namespace millrace::http
