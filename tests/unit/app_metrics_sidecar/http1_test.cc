// Heads and bodies as the proxy follows them, and lines of access logs.
#include "exporters/app_metrics/sidecar/http1.h"

#include "exporters/app_metrics/sidecar/log_line.h"
#include "tests/support/catch.h"

using namespace millrace::app_metrics;
using namespace millrace::app_metrics::sidecar;
using Kind = BodyFollower::Kind;

namespace {

HeadState Parse(const std::string& text, ResponseHead& head) {
  return ParseResponseHead(text, head);
}

TEST_CASE("response heads") {
  ResponseHead h;
  const std::string good =
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close, x-hop\r\nX-A:  b \r\n\r\nhello";
  REQUIRE(Parse(good, h) == HeadState::kDone);
  CHECK(h.status == 200);
  CHECK(h.reason == "OK");
  CHECK(h.content_length == 5);
  CHECK(h.close);
  CHECK(h.fields[2].value == "b");
  CHECK(h.size == good.size() - 5);
  CHECK(Parse("HTTP/1.1 200\r\n\r\n", h) == HeadState::kDone);
  CHECK(Parse("HTTP/1.0 200 OK\n\n", h) == HeadState::kDone);
  CHECK(h.close);
  CHECK(Parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", h) ==
        HeadState::kDone);
  CHECK(h.chunked);
  CHECK_FALSE(h.content_length);
  CHECK(Parse("HTTP/1.1 200 OK\r\nA: b\r\n", h) == HeadState::kMore);
  CHECK(Parse("", h) == HeadState::kMore);
  for (const char* bad :
       {"HTTP/2 200 OK\r\n\r\n", "garbage\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n"}) {
    INFO(bad);
    CHECK(Parse(bad, h) == HeadState::kBad);
  }
  CHECK(Parse("HTTP/1.1 200 OK\r\nA: " + std::string(100'000, 'x'), h) == HeadState::kBad);
}

TEST_CASE("what ends at the next hop") {
  CHECK(IsHopByHop("Connection", ""));
  CHECK(IsHopByHop("upgrade", ""));
  CHECK(IsHopByHop("X-Mine", "close, x-mine"));
  CHECK_FALSE(IsHopByHop("X-Other", "close, x-mine"));
  // Nobody can have the framing or the host taken off a message.
  CHECK_FALSE(IsHopByHop("Content-Length", "content-length"));
  CHECK_FALSE(IsHopByHop("Transfer-Encoding", "transfer-encoding"));
  CHECK_FALSE(IsHopByHop("Host", "host"));
}

TEST_CASE("a chunked body is followed to its end, in pieces of any size") {
  const std::string body = "5;ext=1\r\nhello\r\n0A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    for (const bool unchunk : {false, true}) {
      BodyFollower f;
      f.Reset(Kind::kChunked);
      std::string in = body + "NEXT", out;
      std::size_t at = 0;
      while (!f.done() && at < in.size()) {
        const std::size_t n = f.Feed(std::string_view(in).substr(at, piece), 1 << 20, unchunk, out);
        REQUIRE(n > 0);
        at += n;
      }
      CHECK(f.done());
      CHECK(at == body.size());
      CHECK(out == (unchunk ? "hello0123456789" : body));
      CHECK(f.content() == 15);
    }
  }
}

TEST_CASE("bodies: limits and nonsense") {
  BodyFollower f;
  std::string out;
  f.Reset(Kind::kLength, 10);
  CHECK(f.Feed("0123456789more", 4, false, out) == 4);
  CHECK(f.Feed("456789more", 100, false, out) == 6);
  CHECK(f.done());
  f.Reset(Kind::kLength, 0);
  CHECK(f.done());
  f.Reset(Kind::kUntilClose);
  out.clear();
  CHECK(f.Feed("abc", 100, false, out) == 3);
  CHECK_FALSE(f.done());
  for (const char* bad : {"x\r\n", "\r\n", "-1\r\n", "1\r\nab\r\n", "fffffffffffffffff\r\n"}) {
    INFO(bad);
    f.Reset(Kind::kChunked);
    f.Feed(bad, 100, false, out);
    CHECK(f.bad());
  }
  f.Reset(Kind::kChunked);
  const std::string endless = "0\r\n" + std::string(1 << 20, 'x');
  f.Feed(endless, 1 << 22, false, out);
  CHECK(f.bad());
}

FinishedRequest Read(std::string_view format, std::string_view line, bool good = true) {
  static auto keep = LogLineReader::Make("json");
  keep = LogLineReader::Make(format);
  REQUIRE(keep);
  FinishedRequest r;
  INFO(line);
  CHECK(keep->Read(line, r) == good);
  return r;
}

TEST_CASE("lines of nginx, Apache and Caddy") {
  auto r = Read(
      "nginx_combined",
      R"(1.2.3.4 - bob [10/Oct/2000:13:55:36 -0700] "GET /a/7?token=x HTTP/1.1" 404 2326 "-" "curl")");
  CHECK(r.method == "GET");
  CHECK(r.path == "/a/7");
  CHECK(r.status == 404);
  CHECK(r.bytes_out == 2326);
  CHECK(r.duration.count() < 0);
  r = Read(
      "nginx_ingress",
      R"(1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "POST /x HTTP/1.1" 200 5 "-" "curl" 300 0.250 [default-x-80] [] 10.0.0.1:80 5 0.249 200 abc123)");
  CHECK(r.duration == std::chrono::milliseconds(250));
  CHECK(r.bytes_in == 300);
  CHECK(r.request_id == "abc123");
  r = Read(
      "json",
      R"({"time":"x","request_method":"GET","request_uri":"/j?q=1","status":"502","request_time":"0.010","body_bytes_sent":12})");
  CHECK(r.path == "/j");
  CHECK(r.status == 502);
  CHECK(r.duration == std::chrono::milliseconds(10));
  CHECK(r.bytes_out == 12);
  r = Read(
      "caddy",
      R"({"level":"info","ts":1,"msg":"handled request","request":{"method":"PUT","uri":"/c\/d?x","tls":{"version":772}},"duration":0.5,"size":9,"status":201,"bytes_read":4})");
  CHECK(r.method == "PUT");
  CHECK(r.path == "/c/d");
  CHECK(r.https);
  CHECK(r.status == 201);
  CHECK(r.duration == std::chrono::milliseconds(500));
  CHECK(r.bytes_in == 4);
  Read("json", "not json", false);
  Read("json", "{}", false);
  Read("json", R"({"status":1e300,"request_time":"NaN"})", false);
  Read("nginx_combined", "garbage", false);
  r = Read("nginx_combined",
           R"(1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01" 400 150 "-" "-")");
  CHECK(r.path.empty());
  CHECK_FALSE(LogLineReader::Make("nope"));
}

}  // namespace
