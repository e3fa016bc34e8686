// The parts without threads and sockets.
#include <array>
#include <set>

#include "exporters/app_metrics/src/client_ip.h"
#include "exporters/app_metrics/src/ids.h"
#include "exporters/app_metrics/src/redact.h"
#include "exporters/app_metrics/src/routes.h"
#include "exporters/app_metrics/src/sharded.h"
#include "exporters/app_metrics/src/text.h"
#include "tests/support/catch.h"

using namespace millrace::app_metrics;

namespace {

std::string Guess(std::string_view path) {
  char out[kMaxRoute];
  return std::string(GuessTemplate(path, out));
}

std::string Redacted(const Redactor& r, std::string_view target) {
  std::array<char, 1024> out{};
  return {out.data(), r.Apply(target, out.data(), out.size())};
}

TEST_CASE("request ids are taken over only when they are harmless") {
  CHECK(IsAcceptableRequestId("abc-123_X.~+/=:@"));
  CHECK(IsAcceptableRequestId(std::string(128, 'a')));
  CHECK_FALSE(IsAcceptableRequestId(""));
  CHECK_FALSE(IsAcceptableRequestId(std::string(129, 'a')));
  CHECK_FALSE(IsAcceptableRequestId(std::string(1 << 20, 'a')));
  CHECK_FALSE(IsAcceptableRequestId("a\r\nSet-Cookie: x"));
  CHECK_FALSE(IsAcceptableRequestId("\x1b[31mred"));
  CHECK_FALSE(IsAcceptableRequestId("a b"));
  CHECK_FALSE(IsAcceptableRequestId("a\"b"));
  CHECK_FALSE(IsAcceptableRequestId("\xff"));
}

TEST_CASE("traceparent: the examples and refusals of W3C level 1") {
  const auto ok = ParseTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  REQUIRE(ok);
  CHECK(ok->trace_id == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(ok->parent_id == "00f067aa0ba902b7");
  CHECK(ok->sampled);
  CHECK_FALSE(ParseTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")->sampled);
  // A later version may have more behind.
  CHECK(ParseTraceParent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
  for (const char* bad : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                          "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
                          "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"}) {
    INFO(bad);
    CHECK_FALSE(ParseTraceParent(bad));
  }
}

TEST_CASE("random ids do not repeat") {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100'000; ++i) seen.insert(Random64());
  CHECK(seen.size() == 100'000);
}

TEST_CASE("declared routes: literals before parameters before the rest") {
  const RouteTable t({"/users/:id", "/users/me", "/users/{id}/posts/:post", "/static/*", "/"});
  CHECK(t.Match("/users/42") == "/users/:id");
  CHECK(t.Match("/users/me") == "/users/me");
  CHECK(t.Match("/users/me/posts/7") == "/users/{id}/posts/:post");
  CHECK(t.Match("/static/a/b.css") == "/static/*");
  CHECK(t.Match("/") == "/");
  CHECK(t.Match("/users") == "");
  CHECK(t.Match("/users/") == "");
  CHECK(t.Match("/nope") == "");
  CHECK(t.Match("") == "");
  CHECK(t.Match("*") == "");
  CHECK(t.Match(std::string(100'000, '/')) == "");
  CHECK(RouteTable({"/a/*"}).Match("/a/" + std::string(100'000, '/')) == "/a/*");
}

TEST_CASE("guessed templates hide what looks like an id") {
  CHECK(Guess("/api/v1/users/42") == "/api/v1/users/{id}");
  CHECK(Guess("/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x") == "/o/{id}/x");
  CHECK(Guess("/c/5d41402abc4b2a76b9719d911017c592") == "/c/{id}");
  CHECK(Guess("/order-100234") == "/{id}");
  CHECK(Guess("/mail/a%40b.c") == "/mail/{id}");
  CHECK(Guess("/a/b/c/d/e/f/g/h/i/j") == "/a/b/c/d/e/f/g/h/*");
  CHECK(Guess("") == "/*");
  CHECK(Guess("*") == "/*");
  CHECK(Guess("/" + std::string(5000, 'x')) == "/{id}");
  char out[kMaxRoute];
  const std::pair<std::size_t, std::size_t> groups[] = {{7, 9}, {16, 21}};
  CHECK(internal::TemplateFromCaptures("/users/42/posts/hello", groups, 2, out) ==
        "/users/{1}/posts/{2}");
}

TEST_CASE("methods nobody knows share one name") {
  CHECK(MethodName(MethodIndex("GET")) == "GET");
  CHECK(MethodName(MethodIndex("PATCH")) == "PATCH");
  for (const char* m : {"get", "BREW", "", "G\nET", "PROPFIND"}) {
    INFO(m);
    CHECK(MethodName(MethodIndex(m)) == "_OTHER");
  }
}

TEST_CASE("X-Forwarded-For counts only behind trusted proxies") {
  TrustedProxies t;
  REQUIRE(t.Add("10.0.0.0/8"));
  REQUIRE(t.Add("::1"));
  REQUIRE(t.Add("2001:db8::/33"));
  CHECK_FALSE(t.Add("10.0.0.0/33"));
  CHECK_FALSE(t.Add("10.0.0.0/"));
  CHECK_FALSE(t.Add("proxy.example"));
  CHECK_FALSE(t.Add(""));
  CHECK(ClientIp(t, "1.2.3.4", "9.9.9.9") == "1.2.3.4");
  CHECK(ClientIp(t, "10.1.1.1", "9.9.9.9") == "9.9.9.9");
  CHECK(ClientIp(t, "::ffff:10.1.1.1", "9.9.9.9") == "9.9.9.9");
  CHECK(ClientIp(t, "10.1.1.1", "6.6.6.6, 9.9.9.9, 10.2.2.2") == "9.9.9.9");
  CHECK(ClientIp(t, "10.1.1.1", "9.9.9.9:4711") == "9.9.9.9");
  CHECK(ClientIp(t, "::1", "[2a00::1]:443, 2001:db8:7000::1") == "2a00::1");
  CHECK(ClientIp(t, "10.1.1.1", "2001:db8:8000::1") == "2001:db8:8000::1");
  CHECK(ClientIp(t, "10.1.1.1", "evil\r\n, 10.3.3.3") == "10.3.3.3");
  CHECK(ClientIp(t, "10.1.1.1", "10.4.4.4") == "10.4.4.4");
  CHECK(ClientIp(t, "10.1.1.1", "") == "10.1.1.1");
  CHECK(ClientIp(t, "10.1.1.1", std::string(1 << 20, ',')) == "10.1.1.1");
  CHECK(ClientIp(t, "10.1.1.1", "8.8.8.8," + std::string(4000, '1')) == "10.1.1.1");
}

TEST_CASE("secrets in query strings") {
  const Redactor r({"token", "password", "key"});
  CHECK(Redacted(r, "/a?x=1&token=abc&y=2") == "/a?x=1&token=***&y=2");
  CHECK(Redacted(r, "/a?access_TOKEN=abc") == "/a?access_TOKEN=***");
  CHECK(Redacted(r, "/a?p%61ssword=abc;api-key=d") == "/a?p%61ssword=***;api-key=***");
  CHECK(Redacted(r, "/a?token=&token") == "/a?token=&token");
  CHECK(Redacted(r, "/a?" + std::string(200, 'n') + "=v") ==
        "/a?" + std::string(200, 'n') + "=***");
  CHECK(Redacted(r, "/plain") == "/plain");
  CHECK(Redacted(r, "/a?" + std::string(5000, 'x')).size() == 1024);
  CHECK(Redacted(r, "?") == "?");
}

TEST_CASE("histogram: the edges of classic and native buckets") {
  const HistogramLayout layout({0.1, 0.01, 0.1, -1, 1.0 / 0.0}, 1e-9, true);
  CHECK(layout.bounds == std::vector<double>{0.01, 0.1});
  const ShardedHistogram h(layout, 4);
  CHECK(h.Observe(10'000'000) == 0);  // le is inclusive
  CHECK(h.Observe(10'000'001) == 1);
  CHECK(h.Observe(100'000'001) == 2);
  CHECK(h.Observe(0) == 0);
  HistogramSnapshot s;
  h.Snapshot(s);
  CHECK(s.count == 4);
  CHECK(s.sum == Approx(0.120000002));
  CHECK(s.buckets == std::vector<std::uint64_t>{2, 1, 1});
  CHECK(s.native_zero == 1);
  std::uint64_t native = s.native_zero;
  for (const auto n : s.native) native += n;
  CHECK(native == 4);
  const auto index = [](double v) { return static_cast<int>(NativeBucket(v)) + kNativeFirst; };
  CHECK(index(1.0) == 0);
  CHECK(index(1.0000001) == 1);
  CHECK(index(2.0) == 8);
  CHECK(index(1.5) == 5);  // 2^(4/8) = 1.414, 2^(5/8) = 1.542
  CHECK(index(0.5) == -8);
  CHECK(index(1e9) == kNativeLast);
  CHECK(index(kNativeZeroThreshold * 1.01) == kNativeFirst);
}

TEST_CASE("text: escapes, UTF-8, limits, dates") {
  LineBuffer line;
  const auto logfmt = [&](std::string_view v, std::size_t limit = 1000) {
    line.Clear();
    line.PutLogfmtValue(v, limit);
    return std::string(line.view());
  };
  CHECK(logfmt("plain") == "plain");
  CHECK(logfmt("") == "\"\"");
  CHECK(logfmt("a b") == "\"a b\"");
  CHECK(logfmt("a=\"b\"\n\x1b[0m") == "\"a=\\\"b\\\"\\n\\u001b[0m\"");
  CHECK(logfmt("\xc3\xa4\xff") == "\"\xc3\xa4\\ufffd\"");
  CHECK(logfmt("\xed\xa0\x80\xf4\x90\x80\x80").find('\xed') == std::string::npos);
  CHECK(logfmt("\n\n\n", 5) == "\"\\n\\n\"");
  CHECK(logfmt(std::string(100'000, 'x'), 100'000).size() <= 8192);
  std::string json;
  AppendJsonString(json, "a\"\\\t\x01\x80");
  CHECK(json == "\"a\\\"\\\\\\t\\u0001\\ufffd\"");
  char time[24];
  WriteTime(time, 1763844464007);
  CHECK(std::string_view(time, 24) == "2025-11-22T20:47:44.007Z");
  WriteTime(time, 0);
  CHECK(std::string_view(time, 24) == "1970-01-01T00:00:00.000Z");
}

}  // namespace
