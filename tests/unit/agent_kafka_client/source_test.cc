// The Kafka source against librdkafka's mock cluster.
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "agent/sources/kafka/kafka_source.h"
#include "tests/support/catch.h"
#include "tests/support/sink_input.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent_kafka_client/mock_cluster.h"

namespace millrace::agent {
namespace {

using kafka::Eventually;
using kafka::MockCluster;

/// Keeps every batch, sealed, until the test delivers it.
class Collected final : public Output {
 public:
  Status Send(std::unique_ptr<EventBatch> batch) override {
    BatchView view = testing::Seal(std::move(batch));
    const std::lock_guard lock(mu_);
    for (std::size_t i = 0; i < view->size(); ++i)
      lines_.emplace_back(view->Find(i, "message")->text());
    views_.push_back(std::move(view));
    return {};
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard lock(mu_);
    return lines_;
  }
  [[nodiscard]] std::size_t batches() const {
    const std::lock_guard lock(mu_);
    return views_.size();
  }
  void Deliver(std::size_t i) {
    const std::lock_guard lock(mu_);
    views_[i].Delivered();
  }
  void DeliverAll() {
    const std::lock_guard lock(mu_);
    for (BatchView& view : views_) view.Delivered();
  }

 private:
  mutable std::mutex mu_;
  std::deque<BatchView> views_;
  std::vector<std::string> lines_;
};

class Running {
 public:
  explicit Running(const MockCluster& cluster, const std::string& more = "") {
    config::Problems problems;
    KafkaSourceConfig c;
    {
      const YAML::Node node = config::Parse("bootstrap_servers: '" + cluster.bootstrap() +
                                                "'\ngroup_id: g\ntopics: [t]\n"
                                                "auto_offset_reset: earliest\n"
                                                "commit_interval_ms: 50\n" +
                                                more,
                                            "a.yaml", problems);
      config::Visitor v(node, "a.yaml", "", problems);
      Visit(v, c);
    }
    INFO(problems.Text());
    REQUIRE(problems.empty());
    Context context;
    context.id = "under_test";
    context.metrics = std::make_shared<Metrics>(registry, "under_test", "source", "kafka");
    auto made = MakeKafkaSource(c, context);
    REQUIRE(made);
    source = std::move(*made);
    thread = std::jthread([this](const std::stop_token& stop) {
      const Status s = source->Run(stop, output);
      ended_well = s.has_value();
    });
  }
  ~Running() {
    thread.request_stop();
    thread.join();
    source->Close();
    CHECK(ended_well);
  }
  double Metric(const std::string& name) {
    double sum = 0;
    for (const auto& s : registry.Samples())
      if (s.name == "millrace_" + name) sum += s.value;
    return sum;
  }

  MetricsRegistry registry;
  Collected output;
  std::unique_ptr<Source> source;
  std::atomic<bool> ended_well{false};
  std::jthread thread;
};

TEST_CASE("an offset is committed when all before it is acknowledged, in whatever order") {
  MockCluster cluster;
  cluster.CreateTopic("t", 1);
  Running run(cluster);
  for (std::size_t i = 0; i < 3; ++i) {
    cluster.Produce("t", {.value = std::to_string(i), .key = "", .headers = {}});
    REQUIRE(Eventually([&] { return run.output.batches() == i + 1; }));
  }
  run.output.Deliver(2);
  run.output.Deliver(1);
  CHECK(cluster.Committed("g", "t", 0) <= 0);
  CHECK(Eventually([&] { return run.Metric("kafka_consumer_lag_messages") == 3; }));
  run.output.Deliver(0);
  CHECK(Eventually([&] { return cluster.Committed("g", "t", 0) == 3; }));
  CHECK(Eventually([&] { return run.Metric("kafka_consumer_lag_messages") == 0; }));
}

TEST_CASE("acknowledgements after the stop are committed by Close; the next member goes on there") {
  MockCluster cluster;
  cluster.CreateTopic("t", 1);
  cluster.Produce("t", {.value = "a", .key = "", .headers = {}});
  {
    Running first(cluster);
    REQUIRE(Eventually([&] { return first.output.batches() == 1; }));
    first.thread.request_stop();
    first.output.DeliverAll();
  }
  CHECK(cluster.Committed("g", "t", 0) == 1);
  cluster.Produce("t", {.value = "b", .key = "", .headers = {}});
  Running second(cluster);
  REQUIRE(Eventually([&] { return second.output.batches() == 1; }));
  CHECK(second.output.lines() == std::vector<std::string>{"b"});
}

TEST_CASE("what was not acknowledged is read again by the next member") {
  MockCluster cluster;
  cluster.CreateTopic("t", 1);
  cluster.Produce("t", {.value = "a", .key = "", .headers = {}});
  {
    Running first(cluster);
    REQUIRE(Eventually([&] { return first.output.batches() == 1; }));
  }
  Running second(cluster);
  CHECK(Eventually([&] { return second.output.lines() == std::vector<std::string>{"a"}; }));
}

TEST_CASE("a second member takes over partitions and nothing is read twice") {
  MockCluster cluster;
  cluster.CreateTopic("t", 4);
  Running first(cluster);
  for (std::int32_t p = 0; p < 4; ++p)
    cluster.Produce("t", {.value = std::to_string(p), .key = "", .headers = {}, .partition = p});
  REQUIRE(Eventually([&] { return first.output.lines().size() == 4; }));
  first.output.DeliverAll();
  Running second(cluster);
  REQUIRE(Eventually([&] {
    return first.Metric("kafka_assigned_partitions") == 2 &&
           second.Metric("kafka_assigned_partitions") == 2;
  }));
  for (std::int32_t p = 0; p < 4; ++p)
    cluster.Produce("t",
                    {.value = std::to_string(p + 4), .key = "", .headers = {}, .partition = p});
  CHECK(
      Eventually([&] { return first.output.lines().size() + second.output.lines().size() == 8; }));
  CHECK(second.output.lines().size() == 2);
}

TEST_CASE("revocation waits for the sinks up to the drain timeout, then hands over") {
  MockCluster cluster;
  cluster.CreateTopic("t", 2);
  Running first(cluster, "drain_timeout_ms: 200\n");
  for (std::int32_t p = 0; p < 2; ++p)
    cluster.Produce("t", {.value = std::to_string(p), .key = "", .headers = {}, .partition = p});
  REQUIRE(Eventually([&] { return first.output.lines().size() == 2; }));
  // The sinks never acknowledge: the new member repeats what it takes over.
  Running second(cluster);
  CHECK(Eventually([&] { return second.output.lines().size() == 1; }));
  // Too late: another reads that partition now.
  first.output.DeliverAll();
  CHECK(Eventually(
      [&] { return cluster.Committed("g", "t", 0) + cluster.Committed("g", "t", 1) <= 1; }));
}

}  // namespace
}  // namespace millrace::agent
