#include "agent/kafka/client_config.h"
#include "agent/kafka/event_id.h"
#include "agent/kafka/rdkafka_api.h"
#include "agent/sinks/kafka/delivery.h"
#include "agent/sources/kafka/kafka_source.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

template <class Config>
std::string Faults(const std::string& yaml) {
  config::Problems problems;
  {
    const YAML::Node node = config::Parse(yaml, "a.yaml", problems);
    Config c;
    config::Visitor v(node, "a.yaml", "", problems);
    Visit(v, c);
  }
  return problems.Text();
}

constexpr const char* kSource =
    "bootstrap_servers: 127.0.0.1:9092\n"
    "group_id: g\n"
    "topics: [a, '^b-[0-9]+$']\n";

TEST_CASE("a list of brokers is checked entry by entry") {
  CHECK(kafka::CheckBrokers("a:9092").empty());
  CHECK(kafka::CheckBrokers("a, b.example.org:9093,[::1]:9092,[fe80::1]").empty());
  for (const char* bad : {"", "a:9092,", ",a", "a:", "a:0", "a:70000", "a:x", "a b:1", ":9092",
                          "SSL://a:9092", "[::1:9092", "[x]:1", "[::1]9092", "a:9092:1"}) {
    INFO(bad);
    CHECK_FALSE(kafka::CheckBrokers(bad).empty());
  }
}

TEST_CASE("faults of a kafka source are reported with their places") {
  CHECK(Faults<KafkaSourceConfig>(kSource) == "");
  const std::string text = Faults<KafkaSourceConfig>(
      "bootstrap_servers: 'a:9092,b'\n"
      "topics: ['^[', 'no blanks']\n"
      "tls: {enabled: true, ca_file: /does/not/exist, crt_file: /etc/passwd}\n"
      "sasl: {enabled: true, mechanism: SCRAM-SHA-1, username: u}\n"
      "commit_interval: 5\n");
  INFO(text);
  CHECK(text.find("a.yaml:2:9: topics: \"^[\" is not a regular expression") != std::string::npos);
  CHECK(text.find("a.yaml:3:31: tls.ca_file: cannot read /does/not/exist") != std::string::npos);
  CHECK(text.find("tls.crt_file: crt_file and key_file are needed together") != std::string::npos);
  CHECK(text.find("sasl.mechanism: must be one of") != std::string::npos);
  CHECK(text.find("sasl.password: exactly one of") != std::string::npos);
  CHECK(text.find("missing required key \"group_id\"") != std::string::npos);
  CHECK(text.find("unknown key \"commit_interval\"; did you mean \"commit_interval_ms\"?") !=
        std::string::npos);
}

TEST_CASE("faults of a kafka sink are reported") {
  CHECK(Faults<KafkaSinkConfig>("bootstrap_servers: a:1\ntopic: 'prod-{{ zone }}'\n") == "");
  const std::string text = Faults<KafkaSinkConfig>(
      "bootstrap_servers: a:1\ntopic: '{{ zone }}'\nkey: x\nkey_field: y\n"
      "compression: brotli\nheaders: {millrace-id: x}\n"
      "librdkafka_options: {acks: '1'}\n");
  INFO(text);
  CHECK(text.find("a.yaml:2:8: topic: ") != std::string::npos);
  CHECK(text.find("only one of key and key_field") != std::string::npos);
  CHECK(text.find("compression: must be one of") != std::string::npos);
  CHECK(text.find("millrace-id is the agent's own") != std::string::npos);
  CHECK(text.find("\"acks\" is set by the agent") != std::string::npos);
}

TEST_CASE("options of librdkafka are checked against the library") {
  const auto faults = [](const std::string& options) {
    return Faults<KafkaSourceConfig>(std::string(kSource) + "librdkafka_options: {" + options +
                                     "}\n");
  };
  CHECK(faults("socket.timeout.ms: '1000'") == "");
  CHECK(faults("socket.timeout: '1000'").find("No such configuration property") !=
        std::string::npos);
  CHECK(faults("socket.timeout.ms: soon").find("Invalid value") != std::string::npos);
  CHECK(faults("enable.auto.commit: 'true'").find("delivery guarantee") != std::string::npos);
  CHECK(faults("group.id: x").find("has a key of its own: group_id") != std::string::npos);
}

TEST_CASE("a librdkafka that is not there is a clear error") {
  const auto none = kafka::Api::Load("/does/not/exist.so");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ErrorCode::kNotFound);
  CHECK(none.error().message.find("librdkafka_path") != std::string::npos);
  const auto other = kafka::Api::Load("libc.so.6");
  REQUIRE_FALSE(other);
  CHECK(other.error().message.find("is not librdkafka 1.9 or newer") != std::string::npos);
  const auto system = kafka::Api::Load("");
  REQUIRE(system);
  CHECK((*system)->version() >= 0x010900ff);
  CHECK(*kafka::Api::Load("") == *system);
}

TEST_CASE("settings come in an order in which the user's options win") {
  kafka::ClientConfig c;
  c.bootstrap_servers = "a:1";
  c.tls.enabled = c.sasl.enabled = true;
  c.sasl.username = "u";
  c.sasl.password.value = "p";
  c.tls.verify_hostname = false;
  c.librdkafka_options["client.id"] = "mine";
  const auto s = kafka::ClientSettings(c, {{"client.id", "ours"}});
  REQUIRE(s);
  const auto last = [&](std::string_view name) {
    std::string value = "absent";
    for (const auto& [n, v] : *s)
      if (n == name) value = v;
    return value;
  };
  CHECK(last("client.id") == "mine");
  CHECK(last("security.protocol") == "sasl_ssl");
  CHECK(last("sasl.password") == "p");
  CHECK(last("ssl.endpoint.identification.algorithm") == "none");
  CHECK(last("enable.ssl.certificate.verification") == "true");
  CHECK(last("ssl.ca.location") == "absent");
}

TEST_CASE("an event's id survives the header in both forms") {
  EventBatch batch;
  batch.stream = HashStream("file:1:2:3");
  const EventId given{0x0123456789abcdefULL, 0xfedcba9876543210ULL};
  batch.Begin(18446744073709551615ULL, 0);
  batch.Begin(7, 0).part = 3;
  batch.Begin(8, 0).id = &given;
  kafka::IdHeaderWriter writer;
  writer.Start(batch);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::string value(writer.Value(batch, batch.event(i)));
    INFO(value);
    const auto parsed = kafka::ParseIdHeader(value);
    REQUIRE(parsed);
    CHECK(*parsed == batch.IdOf(batch.event(i)));
    CHECK(value.size() == (i == 0 ? 53 : 32));
  }
  for (const char* bad :
       {"", "0123", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef-",
        "0123456789abcdef0123456789abcdef_1", "0123456789abcdef0123456789abcdef-x",
        "0123456789abcdef0123456789abcdef-18446744073709551616"}) {
    INFO(bad);
    CHECK_FALSE(kafka::ParseIdHeader(bad));
  }
}

TEST_CASE("a message of a topic made anew has another id") {
  const EventId stream = HashStream("kafka:c:t:0");
  CHECK(kafka::IdOfMessage(stream, 0, 1000) == kafka::IdOfMessage(stream, 0, 1000));
  CHECK_FALSE(kafka::IdOfMessage(stream, 0, 1000) == kafka::IdOfMessage(stream, 0, 1001));
  CHECK_FALSE(kafka::IdOfMessage(stream, 0, 1000) == kafka::IdOfMessage(stream, 1, 1000));
}

TEST_CASE("fates of broker errors") {
  using kafka::Fate;
  CHECK(kafka::FateOf(RD_KAFKA_RESP_ERR_NO_ERROR, false) == Fate::kDelivered);
  for (const auto error :
       {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__PURGE_QUEUE,
        RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED})
    CHECK(kafka::FateOf(error, false) == Fate::kAgain);
  CHECK(kafka::FateOf(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, true) == Fate::kExpired);
  CHECK(kafka::FateOf(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, false) == Fate::kRefused);
  CHECK(kafka::FateOf(RD_KAFKA_RESP_ERR_INVALID_RECORD, false) == Fate::kRefused);
}

}  // namespace
}  // namespace millrace::agent
