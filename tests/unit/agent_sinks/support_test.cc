#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <simdjson.h>
#include <sys/stat.h>

#include "agent/sinks/support/dead_letter.h"
#include "agent/sinks/support/retry.h"
#include "common/base/strings.h"
#include "common/http/client/client.h"
#include "tests/support/catch.h"
#include "tests/support/fake_http.h"
#include "tests/support/sink_input.h"
#include "tests/support/temp_dir.h"

namespace millrace::agent {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

TEST_CASE("waits double up to a limit, are random, and never nothing") {
  Backoff b(milliseconds(100), milliseconds(1000), 7);
  const int limits[] = {100, 200, 400, 800, 1000, 1000};
  for (const int limit : limits) {
    CHECK(b.limit() == milliseconds(limit));
    const auto wait = b.Next();
    CHECK(wait >= milliseconds(limit / 10));
    CHECK(wait <= milliseconds(limit));
  }
  b.Reset();
  CHECK(b.limit() == milliseconds(100));
  CHECK(Backoff(milliseconds(100), milliseconds(1000), 1).Next() !=
        Backoff(milliseconds(100), milliseconds(1000), 2).Next());
}

TEST_CASE("a circuit opens, lets one try through, and closes with a success") {
  Circuit c(2, milliseconds(100), milliseconds(100), 1);
  Circuit::Clock::time_point now{};
  c.Failed(now);
  CHECK(c.Allow(now));
  c.Failed(now);
  CHECK_FALSE(c.Allow(now));
  now += milliseconds(200);
  CHECK(c.Allow(now));
  CHECK_FALSE(c.Allow(now));  // the one try is under way
  c.Failed(now);
  now += milliseconds(200);
  CHECK(c.Allow(now));
  c.Succeeded();
  CHECK(c.Allow(now));
  CHECK(c.Allow(now));
}

struct Letters {
  explicit Letters(std::uint64_t max = 1 << 20) {
    config.max_bytes = {max};
    letters = std::make_unique<DeadLetters>(config, testing::MakeContext(registry, dir / "data"));
  }
  Status Bury(const EventBatch& b, std::size_t i, std::string_view response = "no") {
    DeadLetters::Batch batch = letters->Start();
    batch.Add(b, b.event(i), {"mapping", 400, "logs-x", response, ""});
    return letters->Commit(batch);
  }
  test::TempDir dir;
  MetricsRegistry registry;
  DeadLetterConfig config;
  std::unique_ptr<DeadLetters> letters;
};

TEST_CASE("a dead letter says why, and has the event with all its bytes") {
  Letters l;
  auto b = testing::Messages({"bad \xFF byte"}, 42);
  REQUIRE(l.Bury(*b, 0, "document_parsing_exception: failed to parse"));
  const std::string path = l.dir / "data/dead_letter.ndjson";
  CHECK(l.letters->path() == path);
  simdjson::dom::parser parser;
  simdjson::dom::element e;
  REQUIRE(parser.load(path).get(e) == simdjson::SUCCESS);
  CHECK(std::string_view(e["reason"]) == "mapping");
  CHECK(std::int64_t(e["code"]) == 400);
  CHECK(std::string_view(e["target"]) == "logs-x");
  CHECK(std::string_view(e["component_id"]) == "under_test");
  CHECK(std::string_view(e["response"]) == "document_parsing_exception: failed to parse");
  CHECK(std::string_view(e["id"]) == ToHex(b->IdOf(b->event(0))));
  CHECK(std::string_view(e["event"]["message"]) == "bad \xEF\xBF\xBD byte");
  CHECK(Base64Decode(std::string_view(e["base64"]["message"])) == "bad \xFF byte");
  struct stat st{};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 077) == 0);  // log lines may hold secrets
}

TEST_CASE("a torn dead letter is cut, a moved file is opened anew") {
  Letters l;
  auto b = testing::Messages({"one", "two"});
  REQUIRE(l.Bury(*b, 0));
  std::ofstream(l.letters->path(), std::ios::app) << "{\"torn";
  Letters* again = &l;
  again->letters =
      std::make_unique<DeadLetters>(l.config, testing::MakeContext(l.registry, l.dir / "data"));
  REQUIRE(l.Bury(*b, 1));
  const std::string text = Slurp(l.letters->path());
  CHECK(text.find("torn") == std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  fs::rename(l.letters->path(), l.dir / "data/taken");
  REQUIRE(l.Bury(*b, 1));
  CHECK(Slurp(l.letters->path()).find("two") != std::string::npos);
}

TEST_CASE("dead letters rotate, and when they are full nothing is dropped") {
  Letters l(65536);
  auto b = testing::Messages({std::string(1000, 'x')});
  int written = 0;
  Status s;
  while ((s = l.Bury(*b, 0))) ++written;
  CHECK(s.error().code == ErrorCode::kResourceExhausted);
  CHECK(written > 40);
  std::size_t lines = 0, files = 0;
  for (const auto& e : fs::directory_iterator(l.dir / "data")) {
    const std::string text = Slurp(e.path());
    lines += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    ++files;
  }
  CHECK(lines == static_cast<std::size_t>(written));
  CHECK(files >= 7);
  for (const auto& e : fs::directory_iterator(l.dir / "data"))
    if (e.path() != l.letters->path()) fs::remove(e.path());
  CHECK(l.Bury(*b, 0));
}

TEST_CASE("HTTP failures are told apart") {
  using Kind = http::Failure::Kind;
  using Fault = test::FakeReply::Fault;
  std::atomic<Fault> fault = Fault::kNone;
  test::FakeHttp server([&](const test::FakeRequest& r) {
    test::FakeReply reply;
    reply.fault = fault;
    reply.headers = {"X-Path: " + r.path, "X-Enc: " + r.header("content-encoding")};
    reply.body = r.body.empty() ? "hello" : r.body;
    return reply;
  });
  http::ClientOptions options;
  options.max_response_bytes = 1000;
  auto client = http::Client::Make(options);
  REQUIRE(client);
  http::Request request;
  http::Response response;
  request.url = server.url() + "/a?b=1";
  request.method = "POST";
  request.headers = {"Content-Encoding: gzip"};
  request.body = "ping";
  REQUIRE((*client)->Send(request, response));
  CHECK(response.status == 200);
  CHECK(response.body == "ping");
  CHECK(response.header("x-path") == "/a?b=1");
  CHECK(response.header("x-enc") == "gzip");
  const auto kind = [&] {
    const auto r = (*client)->Send(request, response);
    return r ? Kind::kOther : r.error().kind;
  };
  request.timeout = milliseconds(300);
  fault = Fault::kHang;
  CHECK(kind() == Kind::kTimeout);
  fault = Fault::kDrip;
  const std::string slow(100, 'x');
  request.body = slow;
  CHECK(kind() == Kind::kTimeout);
  request.timeout = milliseconds(30'000);
  fault = Fault::kTruncate;
  CHECK(kind() == Kind::kBroken);
  fault = Fault::kClose;
  CHECK(kind() == Kind::kBroken);
  fault = Fault::kNone;
  const std::string large(2000, 'x');
  request.body = large;
  CHECK(kind() == Kind::kTooLarge);
  request.url = "http://127.0.0.1:" + std::to_string(test::ClosedPort());
  CHECK(kind() == Kind::kConnect);
  request.url = "http://no-such-host.invalid/";
  CHECK(kind() == Kind::kResolve);
}

TEST_CASE("a stop ends a request that hangs") {
  test::FakeHttp server([](const test::FakeRequest&) {
    test::FakeReply r;
    r.fault = test::FakeReply::Fault::kHang;
    return r;
  });
  auto client = http::Client::Make({});
  std::stop_source stop;
  std::jthread later([&] {
    while (server.requests() == 0) std::this_thread::sleep_for(milliseconds(1));
    stop.request_stop();
  });
  http::Request request;
  request.url = server.url();
  http::Response response;
  const auto r = (*client)->Send(request, response, stop.get_token());
  REQUIRE_FALSE(r);
  CHECK(r.error().kind == http::Failure::Kind::kCancelled);
}

TEST_CASE("endpoint addresses are checked") {
  CHECK(http::UrlFault("http://a:9200").empty());
  CHECK(http::UrlFault("https://[::1]:9200/prefix").empty());
  for (const char* bad : {"a:9200", "http://", "http://u:p@h", "http://h:0", "http://h:99999",
                          "http://h:x", "http://h/?a=1", "http://h h", "http://[::1"})
    CHECK_FALSE(http::UrlFault(bad).empty());
}

}  // namespace
}  // namespace millrace::agent
