#pragma once
// What is on its way: a view and the messages made of it.
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/event.h"
#include "agent/kafka/rdkafka_api.h"
#include "agent/sinks/support/retry.h"
#include "common/base/buffer.h"

namespace millrace::agent::kafka {

struct Slot;
struct Topic;

/// One message. librdkafka holds its address from Produce() to the delivery report, and reads the
/// payload where it lies: in the batch, or in the slot's text.
struct Outgoing {
  enum class State : std::uint8_t {
    kSent,     ///< librdkafka has it.
    kWaiting,  ///< In Topic::waiting, to be sent again.
    kRefused,  ///< The broker refused the batch that it was in.
    kDone,
  };
  static constexpr std::uint32_t kNowhere = UINT32_MAX;

  Slot* slot = nullptr;
  Topic* topic = nullptr;
  const char* payload = nullptr;  ///< Null: Kafka's null.
  std::uint32_t size = 0;
  std::uint32_t payload_at = kNowhere;            ///< In the slot's text, or not there.
  std::uint32_t key_at = kNowhere, key_size = 0;  ///< Likewise.
  std::uint32_t event = 0;                        ///< Its index in the view's batch.
  State state = State::kWaiting;
};

/// A view until all its messages are delivered. Reused: its memory stays.
struct Slot {
  BatchView view;
  std::vector<Outgoing> messages;
  Buffer text;  ///< Encoded payloads and keys.
  std::size_t open = 0;
  std::size_t bytes = 0;  ///< What it counts against max_in_flight_bytes.
  std::uint64_t sequence = 0;
  std::uint64_t spread = 0;  ///< Where messages without a key go, modulo the partitions.
  std::chrono::steady_clock::time_point accepted;
};

/// The order in which messages were accepted.
inline bool Before(const Outgoing* a, const Outgoing* b) {
  return a->slot->sequence != b->slot->sequence ? a->slot->sequence < b->slot->sequence
                                                : a->event < b->event;
}

/// A topic that messages go to.
struct Topic {
  Topic(std::string topic_name, const Api* api)
      : name(std::move(topic_name)), handle(nullptr, {api}) {}

  std::string name;
  TopicHandle handle;
  std::size_t open = 0;  ///< Messages not yet done.
  /// To be sent again, and everything accepted since: order is kept.
  std::deque<Outgoing*> waiting;
  std::chrono::steady_clock::time_point retry_at;
  Backoff backoff{std::chrono::milliseconds(1000), std::chrono::milliseconds(30'000)};
  rd_kafka_resp_err_t trouble = RD_KAFKA_RESP_ERR_NO_ERROR;  ///< Why it is paused.
};

}  // namespace millrace::agent::kafka
