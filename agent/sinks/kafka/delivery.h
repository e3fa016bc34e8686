#pragma once
// The sink's bookkeeping between views and delivery reports: who is where, what is tried again.
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/core/component.h"
#include "agent/core/template.h"
#include "agent/kafka/client.h"
#include "agent/kafka/event_id.h"
#include "agent/sinks/kafka/kafka_sink.h"
#include "agent/sinks/kafka/outgoing.h"
#include "agent/sinks/kafka/producer.h"
#include "agent/sinks/support/dead_letter.h"

namespace millrace::agent::kafka {

/// What becomes of a message for which librdkafka reports an error.
enum class Fate : unsigned char {
  kDelivered,
  kAgain,    ///< Operational: not allowed, no such topic, no broker. Paused and tried for ever.
  kRefused,  ///< The broker does not want the batch: it is looked into message by message.
  kExpired,  ///< message_timeout_ms, which the user set, is over.
};
[[nodiscard]] Fate FateOf(rd_kafka_resp_err_t error, bool may_expire);

/// Owns what was accepted until it is delivered. One thread.
///
/// - A topic that cannot be written to is paused: its messages wait in order, the sink says so
/// once,
///   and other topics go on until max_in_flight_bytes are waiting.
/// - A broker refuses whole batches. When one is refused everything in flight is awaited, then the
///   suspects are sent alone: what is refused alone goes to the dead letters; if the largest passes
///   alone, batches were too large for the topic and the producer is made anew with half the size.
/// - After a fatal error, or with a cluster that answers but takes nothing for stall_timeout, the
///   producer is made anew and everything not yet delivered is sent again, in order.
class Delivery {
 public:
  Delivery(const Api& api, const KafkaSinkConfig& config, const Context& context);
  ~Delivery();
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  Status Open();
  /// An empty slot to fill in: its view, a message for each event, each with a topic.
  Slot& Acquire();
  void SetTopic(Outgoing& m, const std::string& name);
  void Accept(Slot& slot);
  /// Takes reports and tries again what is due.
  void Serve(std::chrono::milliseconds wait, const std::stop_token& stop);

  /// Sends what waits for a fuller batch.
  void Hurry() const {
    if (open_ && sent_ > 0) producer_.Hurry();
  }

  [[nodiscard]] bool empty() const { return used_ == 0; }
  /// Another view may be accepted.
  [[nodiscard]] bool HasRoom() const {
    return refused_.empty() && bytes_ < config_.max_in_flight_bytes.value;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Send(Outgoing& m);
  void OnReport(Outgoing& m, rd_kafka_resp_err_t error);
  void Settle(Outgoing& m);
  void Wait(Outgoing& m);
  void OnTrouble(Topic& topic, rd_kafka_resp_err_t error);
  void RetryDue(Clock::time_point now);
  void LookIntoRefused(const std::stop_token& stop);
  rd_kafka_resp_err_t SendAlone(Outgoing& m, const std::stop_token& stop);
  /// Puts into the dead letters what has no other place to go.
  void Bury(Clock::time_point now);
  void MakeAnew(std::string_view why);
  void Reopen(Clock::time_point now);
  void WatchForStall(Clock::time_point now);
  void Resume(Topic& topic);
  void UpdateGauges();
  std::span<const OutgoingHeader> HeadersOf(const Outgoing& m);

  /// A message for the dead letters.
  struct Dead {
    Outgoing* message;
    std::string_view reason;
    rd_kafka_resp_err_t error;
  };

  const Api& api_;
  const KafkaSinkConfig& config_;
  const Context& context_;
  ClientHealth health_;
  DeadLetters dead_letters_;
  Counter fatal_errors_;
  Gauge paused_topics_, in_flight_bytes_;
  Histogram latency_;
  std::vector<Template> header_templates_;
  std::vector<std::string> header_values_;

  // Slots and topics before the producer: it goes first and still points to them.
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
  Producer producer_;
  std::unordered_map<std::string, std::unique_ptr<Topic>> topics_;

  std::uint64_t batch_bytes_;
  std::uint64_t next_sequence_ = 1;
  std::size_t used_ = 0, bytes_ = 0, sent_ = 0, waiting_ = 0;
  std::vector<Outgoing*> refused_;
  std::vector<Dead> dead_;
  rd_kafka_resp_err_t refusal_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  Outgoing* alone_ = nullptr;
  rd_kafka_resp_err_t alone_result_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  bool open_ = false, anew_ = false;
  Clock::time_point last_progress_, next_retry_, next_burial_, next_open_;
  std::uint64_t delivered_events_ = 0, delivered_bytes_ = 0;  ///< Not yet counted in the metrics.
  IdHeaderWriter ids_;
  std::uint64_t ids_sequence_ = 0;  ///< Of the slot that ids_ was started for.
  std::array<OutgoingHeader, Producer::kMaxHeaders> headers_{};
};

}  // namespace millrace::agent::kafka
