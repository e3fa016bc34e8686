#pragma once
// librdkafka's broker inside the process: real protocol over loopback, errors on demand.
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "tests/support/catch.h"

namespace millrace::agent::kafka {

class MockCluster {
 public:
  explicit MockCluster(int brokers = 1) {
    char text[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
    owner_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    REQUIRE(owner_ != nullptr);
    cluster_ = rd_kafka_mock_cluster_new(owner_, brokers);
    REQUIRE(cluster_ != nullptr);
  }
  ~MockCluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(owner_);
  }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  [[nodiscard]] std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  [[nodiscard]] rd_kafka_mock_cluster_t* get() const { return cluster_; }
  void CreateTopic(const char* topic, int partitions) {
    REQUIRE(rd_kafka_mock_topic_create(cluster_, topic, partitions, 1) ==
            RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  /// The next requests of this kind (ApiKey of the protocol) are answered with these errors.
  void Fail(std::int16_t api_key, std::initializer_list<rd_kafka_resp_err_t> errors) {
    std::vector<rd_kafka_resp_err_t> list(errors);
    rd_kafka_mock_push_request_errors_array(cluster_, api_key, list.size(), list.data());
  }

  struct Message {
    std::string value, key;
    std::vector<std::pair<std::string, std::string>> headers;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
  };
  void Produce(const char* topic, const Message& m);
  /// Reads a topic from its start until `count` messages are there (or the deadline passes).
  std::vector<Message> Consume(const char* topic, std::size_t count);
  /// What a group has committed; -1001 = nothing.
  std::int64_t Committed(const char* group, const char* topic, std::int32_t partition);

 private:
  rd_kafka_t* MakeClient(rd_kafka_type_t type, const char* group);
  rd_kafka_t* owner_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

/// Waits until `condition` holds; the machine may be slow.
inline bool Eventually(const std::function<bool()>& condition,
                       std::chrono::seconds limit = std::chrono::seconds(60)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

}  // namespace millrace::agent::kafka
