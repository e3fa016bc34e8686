#pragma once
// librdkafka's producer as the sink uses it: no copy of payloads, reports in batches.
#include <array>
#include <chrono>
#include <span>
#include <string>

#include "agent/core/component.h"
#include "agent/kafka/client.h"
#include "agent/kafka/rdkafka_api.h"
#include "agent/sinks/kafka/kafka_sink.h"
#include "agent/sinks/kafka/outgoing.h"

namespace millrace::agent::kafka {

/// A header of a message; views are read during Produce() only.
struct OutgoingHeader {
  const char* name;
  std::string_view value;
};

/// One thread.
class Producer {
 public:
  static constexpr std::size_t kMaxHeaders = 32;

  Producer(const Api& api, const KafkaSinkConfig& config, std::string id, ClientHealth& health);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// What librdkafka is told; a fault that it finds in an option is an error.
  [[nodiscard]] Result<Conf> MakeConfiguration(std::uint64_t batch_bytes) const;
  /// Creates the client, which begins to connect. `batch_bytes` bounds a batch of messages.
  Status Open(std::uint64_t batch_bytes);
  /// Lets go of everything that was produced, without waiting for it. Topic handles must be gone.
  void Close();

  [[nodiscard]] TopicHandle MakeTopic(const std::string& name) const;
  /// Hands a message over; its payload and itself must stay until its report. The error is
  /// librdkafka's own (too large, topic unknown); it has not taken the message then.
  rd_kafka_resp_err_t Produce(Outgoing& message, std::span<const OutgoingHeader> headers);
  /// Calls `on_report(Outgoing&, rd_kafka_resp_err_t)` for what is settled, waiting up to `wait`
  /// for the first.
  template <class F>
  void Serve(std::chrono::milliseconds wait, F&& on_report);
  /// Makes librdkafka report on everything: nothing is sent any more.
  void Purge() const;
  /// Sends what waits for a fuller batch.
  void Hurry() const;
  /// Does the cluster answer, and does the topic have a leader everywhere?
  [[nodiscard]] Status Ask(rd_kafka_topic_t* topic, std::chrono::milliseconds timeout) const;
  /// Idempotence cannot be kept up; only a new producer helps.
  [[nodiscard]] bool fatal() const { return fatal_; }

 private:
  static std::int32_t ChoosePartition(const rd_kafka_topic_t* topic, const void* key,
                                      std::size_t key_size, std::int32_t partitions, void* self,
                                      void* message);
  void OnOther(rd_kafka_event_t* event);

  const Api& api_;
  const KafkaSinkConfig& config_;
  const std::string id_;
  ClientHealth& health_;
  decltype(Api::msg_partitioner_murmur2) by_key_;
  Client client_;
  Queue queue_;
  bool fatal_ = false;
  std::array<const rd_kafka_message_t*, 512> reports_{};
};

template <class F>
void Producer::Serve(std::chrono::milliseconds wait, F&& on_report) {
  while (true) {
    const EventHandle event(api_.queue_poll(queue_.get(), static_cast<int>(wait.count())), {&api_});
    if (event == nullptr) return;
    wait = std::chrono::milliseconds(0);
    if (api_.event_type(event.get()) != RD_KAFKA_EVENT_DR) {
      OnOther(event.get());
      continue;
    }
    while (const std::size_t n =
               api_.event_message_array(event.get(), reports_.data(), reports_.size())) {
      for (std::size_t i = 0; i < n; ++i)
        on_report(*static_cast<Outgoing*>(reports_[i]->_private), reports_[i]->err);
    }
  }
}

}  // namespace millrace::agent::kafka
