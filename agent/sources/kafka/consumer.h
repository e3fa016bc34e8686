#pragma once
// A member of a consumer group: polls, follows rebalances, commits.
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/component.h"
#include "agent/kafka/client.h"
#include "agent/kafka/rdkafka_api.h"
#include "agent/sources/kafka/handoff.h"
#include "agent/sources/kafka/kafka_source.h"
#include "agent/sources/kafka/partition.h"

namespace millrace::agent::kafka {

/// Everything here happens on the thread that calls Loop(); librdkafka calls back on it too.
///
/// A member that does not poll holds up its whole group, so this thread never blocks downstream:
/// while the handoff is full it pauses its partitions and goes on answering.
class Consumer {
 public:
  /// `config`, `context` and `handoff` must outlive it.
  Consumer(const Api& api, const KafkaSourceConfig& config, const Context& context,
           const FieldNames& names, Handoff& handoff);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  /// What Open() would give to librdkafka; a fault that it finds in an option is an error.
  [[nodiscard]] Result<Conf> MakeConfiguration() const;
  /// Creates the client, which begins to connect.
  Status Open();
  /// Consumes until `close` fires, then commits what is acknowledged and leaves the group. Between
  /// `drain` and `close` nothing is read, but the group is answered and offsets are committed.
  void Loop(const std::stop_token& drain, const std::stop_token& close);

 private:
  using Clock = std::chrono::steady_clock;
  using Key = std::pair<std::string, std::int32_t>;

  bool FindCluster(const std::stop_token& close);
  Status Subscribe();
  void Poll();
  void Take(rd_kafka_message_t* message);
  void OnMessageError(const rd_kafka_message_t& message);
  Partition* Find(const rd_kafka_message_t& message);
  void Send(Partition& partition);
  void SendAll();
  void FollowHandoff();
  [[nodiscard]] bool Behind() const;
  void WakeFetcher();
  void SetPaused(bool paused);

  static void OnRebalance(rd_kafka_t* client, rd_kafka_resp_err_t what,
                          rd_kafka_topic_partition_list_t* list, void* self);
  void Assign(rd_kafka_topic_partition_list_t* list);
  void Revoke(rd_kafka_topic_partition_list_t* list);
  void Forget(const rd_kafka_topic_partition_list_t* list);
  void WaitForAcknowledgements(const rd_kafka_topic_partition_list_t* list);

  /// Commits what has moved among `only` (all if null).
  void Commit(const rd_kafka_topic_partition_list_t* only);
  void TakeCommitReplies(std::chrono::milliseconds wait);
  void FinishCommits(std::chrono::milliseconds limit);
  void UpdateLag();
  void Close();

  const Api& api_;
  const KafkaSourceConfig& config_;
  const Context& context_;
  const FieldNames& names_;
  Handoff& handoff_;
  ClientHealth health_;
  Counter rebalances_, commits_, commit_failures_;
  Gauge assigned_;

  Client client_;
  Queue queue_, replies_;
  std::string cluster_;
  std::map<Key, std::unique_ptr<Partition>> partitions_;
  // Messages come in runs of one partition.
  const rd_kafka_topic_t* last_topic_ = nullptr;
  Partition* last_ = nullptr;
  std::vector<rd_kafka_message_t*> messages_;
  std::vector<Header> headers_;
  bool paused_ = false, draining_ = false, closing_ = false, fatal_ = false;
  bool fetcher_may_sleep_ = false;
  int commits_pending_ = 0;
};

}  // namespace millrace::agent::kafka
