#include "common/http/request_parser.h"

#include <string>

#include "tests/support/catch.h"

namespace millrace::http {
namespace {

using State = ParseOutcome::State;

struct Parsed {
  ParseOutcome outcome;
  RequestHead head;
};
// The views of the head point into `text`, which the caller keeps.
Parsed Parse(const std::string& text, ParseLimits limits = {}) {
  Parsed p;
  std::size_t scanned = 0;
  p.outcome = ParseHead(text, limits, scanned, p.head);
  return p;
}

TEST_CASE("A request head is parsed") {
  const std::string text =
      "GET /metrics?a=b HTTP/1.1\r\nHost: x:9100\r\nAccept:  text/plain \r\n\r\nrest";
  const Parsed p = Parse(text);
  REQUIRE(p.outcome.state == State::kDone);
  CHECK(p.head.method == "GET");
  CHECK(p.head.target == "/metrics?a=b");
  CHECK(p.head.minor_version == 1);
  CHECK(p.head.keep_alive);
  CHECK(p.head.Find("accept") == "text/plain");
  CHECK(p.head.size == text.size() - 4);
}

TEST_CASE("A head may arrive in pieces of any size") {
  const std::string text = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
  RequestHead head;
  std::size_t scanned = 0;
  for (std::size_t n = 0; n < text.size(); ++n) {
    INFO(n);
    REQUIRE(ParseHead(text.substr(0, n), {}, scanned, head).state == State::kMore);
  }
  REQUIRE(ParseHead(text, {}, scanned, head).state == State::kDone);
  CHECK(head.content_length == 3);
}

TEST_CASE("Bare line feeds and empty lines before the request are tolerated") {
  const std::string text = "\r\n\nGET / HTTP/1.0\nA: b\n\n";
  const Parsed p = Parse(text);
  REQUIRE(p.outcome.state == State::kDone);
  CHECK(p.head.minor_version == 0);
  CHECK_FALSE(p.head.keep_alive);
  CHECK(p.head.size == text.size());
}

TEST_CASE("Connection decides whether the connection stays") {
  const auto keeps = [](const std::string& text) { return Parse(text).head.keep_alive; };
  CHECK(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n"));
  CHECK(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
}

TEST_CASE("Malformed heads are refused with the right status") {
  struct Case {
    const char* text;
    int status;
  };
  const Case cases[] = {
      {"garbage\r\n\r\n", 400},
      {"\x16\x03\x01", 400},                                     // TLS
      {"GET / HTTP/1.1\r\n\r\n", 400},                           // no Host
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},     // two
      {"GET / HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n", 400},  // no colon
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},               // blank before the colon
      {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400},     // folded line
      {"GET / HTTP/1.1\r\nHost: a\r\n: v\r\n\r\n", 400},         // no name
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n", 400},    // control byte
      {"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: miracle\r\n\r\n", 417},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const std::string text = c.text;
    const Parsed p = Parse(text);
    CHECK(p.outcome.state == State::kBad);
    CHECK(p.outcome.status == c.status);
  }
}

TEST_CASE("Heads beyond the limits are refused") {
  ParseLimits limits;
  limits.head_bytes = 100;
  limits.fields = 3;
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  CHECK(Parse(start + "X: " + std::string(200, 'y'), limits).outcome.status == 431);
  CHECK(Parse(start + "X: " + std::string(200, 'y') + "\r\n\r\n", limits).outcome.status == 431);
  CHECK(Parse(start + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n", limits).outcome.status == 431);
  CHECK(Parse(start + "A: 1\r\nB: 2\r\n\r\n", limits).outcome.state == State::kDone);
}

TEST_CASE("A chunked body is decoded however it is split") {
  const std::string text = "5;x=y\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nTrailer: 1\r\n\r\nNEXT";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    INFO(step);
    ChunkedDecoder decoder;
    std::string body;
    std::size_t at = 0, used = 0;
    ParseOutcome outcome;
    while (outcome.state == State::kMore && at < text.size()) {
      outcome = decoder.Feed(std::string_view(text).substr(at, step), 100, body, used);
      at += used;
    }
    CHECK(outcome.state == State::kDone);
    CHECK(body == "hello world");
    CHECK(text.substr(at) == "NEXT");
  }
}

TEST_CASE("Bad chunks are refused") {
  const auto status = [](const std::string& text) {
    ChunkedDecoder decoder;
    std::string body;
    std::size_t used = 0;
    return decoder.Feed(text, 10, body, used).status;
  };
  CHECK(status("x\r\n") == 400);
  CHECK(status("\r\n") == 400);
  CHECK(status("5\r\nhelloX") == 400);
  CHECK(status("b\r\n") == 413);
  CHECK(status("fffffffff\r\n") == 400);
  CHECK(status("1;" + std::string(20000, 'x')) == 400);
}

TEST_CASE("Percent escapes") {
  std::string out;
  CHECK(PercentDecode("a%5b%5D+c", false, out));
  CHECK(out == "a[]+c");
  CHECK(PercentDecode("a+b", true, out));
  CHECK(out == "a b");
  CHECK_FALSE(PercentDecode("%", false, out));
  CHECK_FALSE(PercentDecode("%4", false, out));
  CHECK_FALSE(PercentDecode("%zz", false, out));
}

TEST_CASE("Paths are cleaned") {
  CHECK(CleanPath("/") == "/");
  CHECK(CleanPath("//metrics") == "/metrics");
  CHECK(CleanPath("/../metrics") == "/metrics");
  CHECK(CleanPath("/a/./b/../c/") == "/a/c/");
  CHECK(CleanPath("/a/..") == "/");
  CHECK(CleanPath("/metrics/") == "/metrics/");
}

}  // namespace
}  // namespace millrace::http
