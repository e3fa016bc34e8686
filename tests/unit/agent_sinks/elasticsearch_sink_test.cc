#include "agent/sinks/elasticsearch/elasticsearch_sink.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <thread>

#include "agent/sinks/elasticsearch/document_id.h"
#include "tests/support/catch.h"
#include "tests/support/sink_input.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent_sinks/fake_bulk.h"

namespace millrace::agent {
namespace {

using std::chrono::milliseconds;
using test::FakeReply;
using test::FakeRequest;
using testing::FakeBulk;
using testing::Messages;
using testing::Seal;
using Doc = FakeBulk::Doc;
using Refusal = FakeBulk::Refusal;

ElasticsearchConfig Config(const std::string& url) {
  ElasticsearchConfig c;
  c.endpoints = {url};
  c.bulk.index = "logs-x";
  c.batch.timeout = milliseconds(20);
  c.request.retry_initial_backoff = milliseconds(5);
  c.request.retry_max_backoff = milliseconds(20);
  return c;
}

struct Harness {
  explicit Harness(const ElasticsearchConfig& config) {
    auto made = MakeElasticsearchSink(config, testing::MakeContext(registry, dir / "data"));
    REQUIRE(made);
    sink = std::move(*made);
    thread = std::jthread([this](const std::stop_token& stop) { status = sink->Run(in, stop); });
  }
  ~Harness() {
    thread.request_stop();
    Finish();
  }
  void Push(std::unique_ptr<EventBatch> batch) { in.Push(Seal(std::move(batch), &ledger)); }
  void Finish() {
    in.Close();
    if (thread.joinable()) thread.join();
  }
  /// Closes, and gives up if the sink does not finish by itself.
  bool Finished() {
    in.Close();
    return Until([this] { return ledger.open() == 0; });
  }
  static bool Until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  [[nodiscard]] double Metric(const std::string& name, const std::string& label = "",
                              const std::string& value = "") {
    for (const auto& s : registry.Samples())
      if (s.name == "millrace_" + name)
        for (const auto& l : s.labels)
          if (label.empty() || (l.first == label && l.second == value)) return s.value;
    return 0;
  }
  [[nodiscard]] std::string DeadLetterText() const {
    std::ifstream in_file(dir / "data/dead_letter.ndjson");
    std::stringstream s;
    s << in_file.rdbuf();
    return s.str();
  }
  test::TempDir dir;
  MetricsRegistry registry;
  testing::FakeInput in;
  testing::Ledger ledger;
  std::unique_ptr<Sink> sink;
  Status status;
  std::jthread thread;
};

long LineCount(const std::string& s) { return std::count(s.begin(), s.end(), '\n'); }

std::vector<std::string> Lines(int n, const std::string& prefix = "line ") {
  std::vector<std::string> out;
  for (int i = 0; i < n; ++i) out.push_back(prefix + std::to_string(i));
  return out;
}

TEST_CASE("the _bulk body is what it is meant to be") {
  FakeBulk server;
  ElasticsearchConfig config = Config(server.url());
  config.bulk.index = "logs-{{ app }}-%Y.%m.%d";
  Harness h(config);
  auto b = Messages({"one", "two"}, 5);
  b->AddCommon(Field::String("host", "h1"));
  b->Set(0, Field::String("app", "Shop"));
  const std::string id0 = DocumentId(b->IdOf(b->event(0))), id1 = DocumentId(b->IdOf(b->event(1)));
  h.Push(std::move(b));
  REQUIRE(h.Finished());
  REQUIRE(server.bodies().size() == 1);
  CHECK(server.encodings()[0] == "gzip");
  CHECK(server.bodies()[0] ==
        R"({"create":{"_index":"logs-shop-2025.11.22","_id":")" + id0 + "\"}}\n" +
            R"({"message":"one","app":"Shop","host":"h1","@timestamp":"2025-11-22T12:00:00Z"})"
            "\n" +
            R"({"create":{"_index":"logs-unknown-2025.11.22","_id":")" + id1 + "\"}}\n" +
            R"({"message":"two","host":"h1","@timestamp":"2025-11-22T12:00:00Z"})"
            "\n");
  CHECK(h.ledger.delivered() == 1);
  CHECK(h.Metric("component_sent_events_total") == 2);
}

TEST_CASE("id_key, index action, no compression, own @timestamp") {
  FakeBulk server;
  ElasticsearchConfig config = Config(server.url());
  config.id_key = "uid";
  config.bulk.action = ElasticsearchConfig::Action::kIndex;
  config.compression = Compression::kNone;
  config.encoding.except_fields = {"uid"};
  Harness h(config);
  auto b = Messages({"one"});
  b->Set(0, Field::String("uid", "a\"b"));
  b->Set(0, Field::String("@timestamp", "mine"));
  h.Push(std::move(b));
  REQUIRE(h.Finished());
  CHECK(server.encodings()[0].empty());
  CHECK(server.bodies()[0] == R"({"index":{"_index":"logs-x","_id":"a\"b"}})"
                              "\n"
                              R"({"message":"one","@timestamp":"mine"})"
                              "\n");
}

TEST_CASE("many events: batches by number and by bytes, each event once, each view acknowledged") {
  FakeBulk server;
  ElasticsearchConfig config = Config(server.url());
  SECTION("by number") { config.batch.max_events = 7; }
  SECTION("by bytes") { config.batch.max_bytes = {1024}; }
  Harness h(config);
  for (int i = 0; i < 20; ++i) h.Push(Messages(Lines(50), static_cast<std::uint64_t>(i) * 50));
  REQUIRE(h.Finished());
  CHECK(server.count() == 1000);
  CHECK(server.conflicts() == 0);
  CHECK(h.ledger.delivered() == 20);
  CHECK(h.ledger.lost() == 0);
  for (const std::string& body : server.bodies()) {
    CHECK(std::count(body.begin(), body.end(), '\n') <= 2L * config.batch.max_events);
    CHECK(body.size() <= config.batch.max_bytes.value);
  }
}

TEST_CASE("a replay makes no second document and is acknowledged") {
  FakeBulk server;
  for (int run = 0; run < 2; ++run) {
    Harness h(Config(server.url()));
    h.Push(Messages(Lines(10)));
    REQUIRE(h.Finished());
    CHECK(h.ledger.delivered() == 1);
    CHECK(h.Metric("elasticsearch_items_total", "result", run == 0 ? "stored" : "duplicate") == 10);
  }
  CHECK(server.count() == 10);
}

TEST_CASE("only what failed is sent again") {
  FakeBulk server;
  server.on_doc = [](int request, const Doc& d) -> std::optional<Refusal> {
    if (request < 3 && d.source.find("line 3") != std::string::npos)
      return Refusal{429, "es_rejected_execution_exception", "queue full"};
    return std::nullopt;
  };
  Harness h(Config(server.url()));
  h.Push(Messages(Lines(10)));
  REQUIRE(h.Finished());
  CHECK(server.count() == 10);
  REQUIRE(server.bodies().size() == 4);
  for (std::size_t i = 1; i < 4; ++i) CHECK(LineCount(server.bodies()[i]) == 2);
  CHECK(h.ledger.delivered() == 1);
  CHECK(h.DeadLetterText().empty());
}

TEST_CASE("an event that can never be stored goes to the dead letters, then counts as settled") {
  FakeBulk server;
  server.on_doc = [](int, const Doc& d) -> std::optional<Refusal> {
    if (d.source.find("line 4") != std::string::npos)
      return Refusal{400, "document_parsing_exception", "failed to parse field [status]"};
    return std::nullopt;
  };
  Harness h(Config(server.url()));
  h.Push(Messages(Lines(10)));
  REQUIRE(h.Finished());
  CHECK(server.count() == 9);
  CHECK(h.ledger.delivered() == 1);
  const std::string dead = h.DeadLetterText();
  CHECK(
      dead.find(
          R"("reason":"mapping","code":400,"target":"logs-x","response":"document_parsing_exception: failed to parse field [status]")") !=
      std::string::npos);
  CHECK(dead.find(R"("message":"line 4")") != std::string::npos);
  CHECK(std::count(dead.begin(), dead.end(), '\n') == 1);
  CHECK(h.Metric("component_discarded_events_total", "reason", "mapping") == 1);
}

TEST_CASE("without a place for dead letters nothing is acknowledged") {
  FakeBulk server;
  server.on_doc = [](int, const Doc&) { return Refusal{400, "mapper_parsing_exception", "no"}; };
  ElasticsearchConfig config = Config(server.url());
  config.dead_letter.path = "/proc/none/dead.ndjson";
  Harness h(config);
  h.Push(Messages({"x"}));
  REQUIRE(Harness::Until(
      [&] { return h.Metric("component_errors_total", "error_type", "dead_letter_failed") > 0; }));
  CHECK(h.ledger.delivered() == 0);
}

TEST_CASE("a closed, blocked or forbidden index waits, the others go on, and then it goes on too") {
  const std::pair<Refusal, const char*> cases[] = {
      {{400, "index_closed_exception", "closed"}, "index_closed"},
      {{429, "cluster_block_exception", "flood-stage"}, "index_blocked"},
      {{403, "security_exception", "unauthorized"}, "forbidden"},
      {{400, "illegal_argument_exception", "no write index is defined for alias [bad]"},
       "no_write_index"},
  };
  for (const auto& [refusal, reason] : cases) {
    INFO(reason);
    FakeBulk server;
    std::atomic<bool> closed = true;
    server.on_doc = [&, r = refusal](int, const Doc& d) -> std::optional<Refusal> {
      if (closed && d.index == "logs-bad") return r;
      return std::nullopt;
    };
    ElasticsearchConfig config = Config(server.url());
    config.bulk.index = "logs-{{ app }}";
    Harness h(config);
    for (int i = 0; i < 30; ++i) {
      auto b = Messages(Lines(10), static_cast<std::uint64_t>(i) * 10);
      for (std::size_t k = 0; k < 10; ++k)
        b->Set(k, Field::String("app", i % 3 == 0 && k % 2 == 0 ? "bad" : "good"));
      h.Push(std::move(b));
    }
    REQUIRE(Harness::Until([&] { return server.docs()["logs-good"].size() == 250; }));
    CHECK(server.docs()["logs-bad"].empty());
    REQUIRE(Harness::Until([&] { return h.ledger.delivered() == 20; }));
    CHECK(h.Metric("sink_paused_targets") == 1);
    const int before = server.bulks();
    REQUIRE(Harness::Until([&] { return server.bulks() >= before + 3; }));  // it keeps asking
    CHECK(LineCount(server.bodies().back()) == 2);
    closed = false;
    REQUIRE(h.Finished());
    CHECK(server.docs()["logs-bad"].size() == 50);
    CHECK(server.conflicts() == 0);
    CHECK(h.ledger.delivered() == 30);
    CHECK(h.Metric("sink_paused_targets") == 0);
    CHECK(h.DeadLetterText().empty());
  }
}

TEST_CASE("401, 403 and 404 of the whole request: wait for an operator, lose nothing") {
  for (const int status : {401, 403, 404}) {
    FakeBulk server;
    std::atomic<bool> wrong = true;
    server.on_request = [&](int, const FakeRequest&,
                            const std::vector<Doc>&) -> std::optional<FakeReply> {
      if (wrong)
        return FakeReply{status, R"({"error":{"type":"security_exception","reason":"no"}})"};
      return std::nullopt;
    };
    Harness h(Config(server.url()));
    h.Push(Messages(Lines(5)));
    REQUIRE(Harness::Until([&] { return server.bulks() >= 3; }));
    CHECK(h.ledger.delivered() == 0);
    CHECK(h.Metric("sink_blocked") == 1);
    wrong = false;
    REQUIRE(h.Finished());
    CHECK(h.ledger.delivered() == 1);
    CHECK(server.count() == 5);
    CHECK(h.Metric("sink_blocked") == 0);
    CHECK(h.DeadLetterText().empty());
  }
}

TEST_CASE("413 halves until it fits, and one document that never fits is a dead letter") {
  FakeBulk server;
  server.on_request = [](int, const FakeRequest&,
                         const std::vector<Doc>& docs) -> std::optional<FakeReply> {
    std::size_t plain = 0;
    for (const Doc& d : docs) plain += d.source.size();
    if (plain > 1000) return FakeReply{413, ""};
    return std::nullopt;
  };
  Harness h(Config(server.url()));
  auto lines = Lines(100);
  lines[37] = std::string(2000, 'x');
  h.Push(Messages(lines));
  REQUIRE(h.Finished());
  CHECK(server.count() == 99);
  CHECK(h.ledger.delivered() == 1);
  CHECK(h.DeadLetterText().find("\"too_large\"") != std::string::npos);
}

TEST_CASE("a 400 of the whole request is halved down to the poison event") {
  FakeBulk server;
  server.on_request = [](int, const FakeRequest&,
                         const std::vector<Doc>& docs) -> std::optional<FakeReply> {
    for (const Doc& d : docs)
      if (d.source.find("line 0\"") != std::string::npos ||
          d.source.find("line 42\"") != std::string::npos)
        return FakeReply{
            400, R"({"error":{"type":"illegal_argument_exception","reason":"Malformed content"}})"};
    return std::nullopt;
  };
  Harness h(Config(server.url()));
  h.Push(Messages(Lines(64)));
  REQUIRE(h.Finished());
  CHECK(server.count() == 62);
  CHECK(h.ledger.delivered() == 1);
  const std::string dead = h.DeadLetterText();
  CHECK(std::count(dead.begin(), dead.end(), '\n') == 2);
}

TEST_CASE("a 400 for everything is the set-up's fault: nothing is given up") {
  FakeBulk server;
  std::atomic<bool> wrong = true;
  server.on_request = [&](int, const FakeRequest&,
                          const std::vector<Doc>&) -> std::optional<FakeReply> {
    if (wrong)
      return FakeReply{
          400,
          R"({"error":{"type":"illegal_argument_exception","reason":"unrecognized parameter"}})"};
    return std::nullopt;
  };
  Harness h(Config(server.url()));
  h.Push(Messages(Lines(100)));
  REQUIRE(Harness::Until([&] { return server.bulks() >= 60; }));
  CHECK(h.ledger.delivered() == 0);
  CHECK(h.DeadLetterText().empty());
  wrong = false;
  REQUIRE(h.Finished());
  CHECK(server.count() == 100);
  CHECK(h.DeadLetterText().empty());
}

TEST_CASE("zstd is given up for gzip once when the server does not understand it") {
  FakeBulk server;
  server.on_request = [](int, const FakeRequest& r,
                         const std::vector<Doc>&) -> std::optional<FakeReply> {
    if (r.header("content-encoding") == "zstd")
      return FakeReply{
          400,
          R"({"error":{"type":"illegal_argument_exception","reason":"The bulk request must be terminated by a newline [\\n]"}})"};
    return std::nullopt;
  };
  // A proxy that hides what is behind it.
  server.root = "{}";
  server.root_headers = std::vector<std::string>{};
  ElasticsearchConfig config = Config(server.url());
  config.compression = Compression::kZstd;
  Harness h(config);
  h.Push(Messages(Lines(10)));
  REQUIRE(Harness::Until([&] { return h.ledger.delivered() == 1; }));
  h.Push(Messages(Lines(10), 100));
  REQUIRE(h.Finished());
  CHECK(server.encodings() == std::vector<std::string>{"zstd", "gzip", "gzip"});
  CHECK(server.count() == 20);
  CHECK(h.DeadLetterText().empty());
}

TEST_CASE("requests under way when zstd is given up are made anew, none is taken for poison") {
  for (const char* root : {"{}", R"({"version":{"number":"9.5.3"}})"}) {
    FakeBulk server;
    server.root = root;
    server.root_headers = std::vector<std::string>{};
    std::atomic<int> zstd = 0;
    server.on_request = [&](int, const FakeRequest& r,
                            const std::vector<Doc>&) -> std::optional<FakeReply> {
      if (r.header("content-encoding") != "zstd") return std::nullopt;
      ++zstd;
      return FakeReply{400,
                       R"({"error":{"type":"illegal_argument_exception","reason":"newline"}})"};
    };
    ElasticsearchConfig config = Config(server.url());
    config.compression = Compression::kZstd;
    config.batch.max_events = 3;
    Harness h(config);
    for (int i = 0; i < 20; ++i) h.Push(Messages(Lines(30), static_cast<std::uint64_t>(i) * 30));
    REQUIRE(h.Finished());
    CHECK(server.count() == 600);
    CHECK(h.DeadLetterText().empty());
    CHECK(zstd <= (std::string_view(root) == "{}" ? 4 : 0));
  }
}

TEST_CASE("zstd is not even tried with servers known not to take it") {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"version":{"number":"9.5.3"}})", "gzip"},
      {R"({"version":{"number":"2.19.6","distribution":"opensearch"}})", "gzip"},
      {R"({"version":{"number":"3.8.0","distribution":"opensearch"}})", "zstd"},
  };
  for (const auto& [root, want] : cases) {
    FakeBulk server;
    server.root = root;
    server.root_headers = std::vector<std::string>{};
    ElasticsearchConfig config = Config(server.url());
    config.compression = Compression::kZstd;
    Harness h(config);
    h.Push(Messages(Lines(10)));
    REQUIRE(h.Finished());
    CHECK(server.encodings() == std::vector<std::string>{want});
    CHECK(server.count() == 10);
  }
}

TEST_CASE(
    "replies that lie, break off or are no replies are not believed; nothing is lost or doubled") {
  FakeBulk server;
  server.on_request = [&](int n, const FakeRequest&,
                          const std::vector<Doc>& docs) -> std::optional<FakeReply> {
    switch (n) {
      case 0:
        return FakeReply{200, R"({"errors":false,"items":[{"create":{"status":201}}]})"};
      case 1:
        return FakeReply{200, "OK"};
      case 2:
        return FakeReply{200, std::string(500, ' '), {}, FakeReply::Fault::kTruncate};
      case 3:
        return FakeReply{200, "", {}, FakeReply::Fault::kClose};
      case 4:
        return FakeReply{502, "<html>bad gateway</html>"};
      case 5:
        return FakeReply{429,
                         R"({"error":{"type":"es_rejected_execution_exception","reason":"x"}})",
                         {"Retry-After: 0"}};
      default:
        static_cast<void>(docs);
        return std::nullopt;
    }
  };
  Harness h(Config(server.url()));
  h.Push(Messages(Lines(10)));
  REQUIRE(h.Finished());
  CHECK(server.count() == 10);
  CHECK(server.bulks() == 7);
  CHECK(h.ledger.delivered() == 1);
}

TEST_CASE("a node that is down, hangs or has only a gateway left is passed over") {
  FakeBulk good, gateway;
  gateway.on_request = [](int, const FakeRequest&, const std::vector<Doc>&) {
    return FakeReply{503, "no"};
  };
  std::atomic<bool> hang = true;
  test::FakeHttp hanging([&](const FakeRequest&) {
    FakeReply r;
    if (hang) r.fault = FakeReply::Fault::kHang;
    return r;
  });
  ElasticsearchConfig config = Config(good.url());
  config.endpoints = {"http://127.0.0.1:" + std::to_string(test::ClosedPort()), gateway.url(),
                      hanging.url(), good.url()};
  config.request.timeout = milliseconds(1000);
  config.request.concurrency = 1;
  Harness h(config);
  for (int i = 0; i < 10; ++i) h.Push(Messages(Lines(10), static_cast<std::uint64_t>(i) * 10));
  REQUIRE(h.Finished());
  CHECK(good.count() == 100);
  CHECK(h.ledger.delivered() == 10);
}

TEST_CASE("a stop in the middle leaves what is not settled to the source") {
  FakeBulk server;
  server.on_request = [](int, const FakeRequest&, const std::vector<Doc>&) {
    return FakeReply{503, ""};
  };
  Harness h(Config(server.url()));
  h.Push(Messages(Lines(10)));
  REQUIRE(Harness::Until([&] { return server.bulks() > 0; }));
  h.thread.request_stop();
  h.Finish();
  h.sink.reset();
  CHECK(h.ledger.delivered() == 0);
  CHECK(h.ledger.lost() == 1);
}

TEST_CASE("the probe tells what is wrong") {
  FakeBulk server;
  const auto probe = [](const std::string& url) {
    test::TempDir dir;
    MetricsRegistry registry;
    auto sink = MakeElasticsearchSink(Config(url), testing::MakeContext(registry, dir.path()));
    return (*sink)->Probe(milliseconds(20'000));
  };
  CHECK(probe(server.url()));
  const Status closed = probe("http://127.0.0.1:" + std::to_string(test::ClosedPort()));
  REQUIRE_FALSE(closed);
  CHECK(closed.error().code == ErrorCode::kUnavailable);
  test::FakeHttp locked([](const FakeRequest&) { return FakeReply{401, "{}"}; });
  const Status refused = probe(locked.url());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::kPermission);
  test::FakeHttp other([](const FakeRequest&) { return FakeReply{200, "<html>"}; });
  const Status strange = probe(other.url());
  REQUIRE_FALSE(strange);
  CHECK(strange.error().message.find("neither") != std::string::npos);
}

}  // namespace
}  // namespace millrace::agent
