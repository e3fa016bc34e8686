// The Kafka sink against librdkafka's mock cluster: the real protocol, errors on demand.
#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "agent/kafka/event_id.h"
#include "agent/sinks/kafka/kafka_sink.h"
#include "tests/support/catch.h"
#include "tests/support/sink_input.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent_kafka_client/mock_cluster.h"

namespace millrace::agent {
namespace {

using kafka::Eventually;
using kafka::MockCluster;
using testing::FakeInput;
using testing::Ledger;
using testing::Messages;
using testing::Seal;

constexpr std::int16_t kProduce = 0;

/// A sink in a thread of its own.
class Running {
 public:
  Running(const MockCluster& cluster, const std::string& yaml) {
    config::Problems problems;
    KafkaSinkConfig c;
    {
      const YAML::Node node = config::Parse(
          "bootstrap_servers: '" + cluster.bootstrap() + "'\n" + yaml, "a.yaml", problems);
      config::Visitor v(node, "a.yaml", "", problems);
      Visit(v, c);
    }
    INFO(problems.Text());
    REQUIRE(problems.empty());
    auto made = MakeKafkaSink(c, testing::MakeContext(registry, dir.path()));
    REQUIRE(made);
    sink = std::move(*made);
    thread = std::jthread([this](const std::stop_token& stop) {
      const Status s = sink->Run(input, stop);
      ended_well = s.has_value();
    });
  }
  ~Running() {
    input.Close();
    thread.request_stop();
  }
  void Send(const std::vector<std::string>& lines, std::uint64_t first = 0) {
    input.Push(Seal(Messages(lines, first), &ledger));
  }
  /// Everything that was sent is settled and the sink has ended by itself.
  void Finish() {
    input.Close();
    thread.join();
    CHECK(ended_well);
  }
  double Metric(const std::string& name) {
    double sum = 0;
    for (const auto& s : registry.Samples())
      if (s.name == "millrace_" + name) sum += s.value;
    return sum;
  }
  [[nodiscard]] std::string DeadLetters() const {
    std::ifstream file(dir / "dead_letter.ndjson");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  test::TempDir dir;
  MetricsRegistry registry;
  Ledger ledger;
  FakeInput input;
  std::unique_ptr<Sink> sink;
  std::atomic<bool> ended_well{false};
  std::jthread thread;
};

std::vector<std::string> Lines(std::size_t n, const std::string& prefix = "line ") {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < n; ++i) lines.push_back(prefix + std::to_string(i));
  return lines;
}

std::vector<std::string> Values(const std::vector<MockCluster::Message>& messages) {
  std::vector<std::string> values;
  for (const auto& m : messages) values.push_back(m.value);
  return values;
}

TEST_CASE("messages of a stream arrive in order, with their ids, and are acknowledged") {
  MockCluster cluster;
  cluster.CreateTopic("t", 4);
  Running sink(cluster, "topic: t\nencoding: {codec: text}\ncompression: lz4\n");
  sink.Send(Lines(500));
  sink.Send(Lines(500, "more "), 500);
  sink.Finish();
  CHECK(sink.ledger.delivered() == 2);
  const auto got = cluster.Consume("t", 1000);
  REQUIRE(got.size() == 1000);
  auto expected = Lines(500);
  for (const auto& line : Lines(500, "more ")) expected.push_back(line);
  CHECK(Values(got) == expected);
  const std::set<std::int32_t> partitions = [&] {
    std::set<std::int32_t> p;
    for (const auto& m : got) p.insert(m.partition);
    return p;
  }();
  CHECK(partitions.size() == 1);
  REQUIRE(got[7].headers.size() == 1);
  CHECK(got[7].headers[0].first == kafka::kIdHeader);
  const auto id = kafka::ParseIdHeader(got[7].headers[0].second);
  REQUIRE(id);
  CHECK(*id == IdAt(HashStream("test"), 7));
  CHECK(sink.Metric("component_sent_events_total") == 1000);
}

TEST_CASE("topic, key and headers come from fields, with fallbacks") {
  MockCluster cluster;
  cluster.CreateTopic("prod-eu", 1);
  cluster.CreateTopic("prod-none", 1);
  Running sink(cluster,
               "topic: 'prod-{{ zone }}'\ntopic_fallback: none\nkey: 'k-{{ zone }}'\n"
               "headers: {zone: '{{ zone }}', fixed: yes}\nevent_id_header: false\n"
               "encoding: {codec: json, except_fields: [timestamp]}\n");
  auto batch = Messages({"a", "b"});
  batch->Set(0, Field::String("zone", "eu"));
  sink.input.Push(Seal(std::move(batch), &sink.ledger));
  sink.Finish();
  CHECK(sink.ledger.delivered() == 1);
  const auto eu = cluster.Consume("prod-eu", 1);
  REQUIRE(eu.size() == 1);
  CHECK(eu[0].value == "{\"message\":\"a\",\"zone\":\"eu\"}");
  CHECK(eu[0].key == "k-eu");
  using Header = std::pair<std::string, std::string>;
  CHECK(eu[0].headers == std::vector<Header>{{"fixed", "yes"}, {"zone", "eu"}});
  const auto none = cluster.Consume("prod-none", 1);
  REQUIRE(none.size() == 1);
  CHECK(none[0].key.empty());
  CHECK(none[0].headers == std::vector<Header>{{"fixed", "yes"}});
  CHECK(sink.Metric("template_fallbacks_total") == 1);
}

TEST_CASE("an operational refusal pauses the topic: nothing is acknowledged, dropped or buried") {
  MockCluster cluster;
  cluster.CreateTopic("t", 1);
  const std::vector<rd_kafka_resp_err_t> denied(3, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  rd_kafka_mock_push_request_errors_array(cluster.get(), kProduce, denied.size(), denied.data());
  Running sink(cluster, "topic: t\nencoding: {codec: text}\n");
  sink.Send(Lines(10));
  CHECK(Eventually([&] { return sink.Metric("kafka_paused_topics") == 1; }));
  CHECK(sink.ledger.delivered() == 0);
  CHECK(Eventually([&] { return sink.ledger.delivered() == 1; }));
  sink.Finish();
  CHECK(Values(cluster.Consume("t", 10)) == Lines(10));
  CHECK(sink.DeadLetters().empty());
}

TEST_CASE("a message over the limit goes to the dead letters, its neighbours arrive") {
  MockCluster cluster;
  cluster.CreateTopic("t", 1);
  Running sink(cluster, "topic: t\nencoding: {codec: text}\nmax_message_bytes: 2000\n");
  auto lines = Lines(10);
  lines[4] = std::string(5000, 'x');
  sink.Send(lines);
  sink.Finish();
  CHECK(sink.ledger.delivered() == 1);
  lines.erase(lines.begin() + 4);
  CHECK(Values(cluster.Consume("t", 9)) == lines);
  const std::string dead = sink.DeadLetters();
  CHECK(std::count(dead.begin(), dead.end(), '\n') == 1);
  CHECK(dead.find("\"reason\":\"too_large\"") != std::string::npos);
  CHECK(dead.find("\"target\":\"t\"") != std::string::npos);
  CHECK(sink.Metric("component_discarded_events_total") == 1);
  CHECK(sink.Metric("component_sent_events_total") == 9);
}

TEST_CASE("a batch that the broker finds too large is cut, not buried") {
  MockCluster cluster;
  cluster.CreateTopic("t", 1);
  // The first batch is refused; its largest message alone passes.
  cluster.Fail(kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  Running sink(cluster, "topic: t\nencoding: {codec: text}\n");
  sink.Send(Lines(100));
  CHECK(Eventually([&] { return sink.ledger.delivered() == 1; }));
  sink.Finish();
  auto got = Values(cluster.Consume("t", 100));
  auto expected = Lines(100);
  std::sort(got.begin(), got.end());
  std::sort(expected.begin(), expected.end());
  CHECK(got == expected);
  CHECK(sink.DeadLetters().empty());
  CHECK(sink.Metric("kafka_producers_made_anew_total") == 1);
}

TEST_CASE("a message that is refused alone is buried") {
  MockCluster cluster;
  cluster.CreateTopic("t", 1);
  cluster.Fail(kProduce,
               {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  Running sink(cluster, "topic: t\nencoding: {codec: text}\n");
  auto lines = Lines(20);
  lines[3] += " and much longer than the others";
  sink.Send(lines);
  sink.Finish();
  CHECK(sink.ledger.delivered() == 1);
  CHECK(sink.DeadLetters().find("line 3 and much longer") != std::string::npos);
  lines.erase(lines.begin() + 3);
  CHECK(Values(cluster.Consume("t", 19)) == lines);
}

TEST_CASE("brokers that are away for a while lose nothing") {
  MockCluster cluster;
  cluster.CreateTopic("t", 1);
  Running sink(cluster, "topic: t\nencoding: {codec: text}\n");
  sink.Send(Lines(10));
  CHECK(Eventually([&] { return sink.ledger.delivered() == 1; }));
  rd_kafka_mock_broker_set_down(cluster.get(), 1);
  sink.Send(Lines(10, "while away "), 10);
  CHECK(Eventually([&] { return sink.Metric("component_errors_total") > 0; }));
  CHECK(sink.ledger.delivered() == 1);
  rd_kafka_mock_broker_set_up(cluster.get(), 1);
  CHECK(Eventually([&] { return sink.ledger.delivered() == 2; }));
  sink.Finish();
  CHECK(cluster.Consume("t", 20).size() == 20);
}

TEST_CASE("what is not delivered at the shutdown deadline stays unacknowledged") {
  MockCluster cluster;
  cluster.CreateTopic("t", 1);
  rd_kafka_mock_broker_set_down(cluster.get(), 1);
  Running sink(cluster, "topic: t\nencoding: {codec: text}\n");
  sink.Send(Lines(10));
  sink.input.Close();
  CHECK(Eventually([&] { return sink.Metric("component_received_events_total") == 10; }));
  sink.thread.request_stop();
  sink.thread.join();
  CHECK(sink.ledger.delivered() == 0);
  CHECK(sink.ledger.lost() == 1);
}

}  // namespace
}  // namespace millrace::agent
