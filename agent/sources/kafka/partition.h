#pragma once
// One assigned partition: turns its messages into batches and keeps its place.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "agent/checkpoints/ack_tracker.h"
#include "agent/core/event.h"

namespace millrace::agent::kafka {

struct Header {
  std::string_view name, value;
};

/// A message as the consumer hands it over; views are valid during the call.
struct Message {
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;  ///< Negative: none.
  std::string_view payload;        ///< A null data() is Kafka's null (a tombstone).
  std::string_view key;            ///< Likewise.
  std::span<const Header> headers;
};

/// Names of the fields that say where a message came from; an empty one is left out. They live as
/// long as the process (InternName).
struct FieldNames {
  std::string_view key, topic, partition, offset, headers;
};

/// Lives from assignment to revocation: the object is the epoch. Acknowledgements of batches that
/// an earlier object of the same partition made reach that one's tracker, which nobody reads any
/// more. One thread.
class Partition {
 public:
  static constexpr std::size_t kMaxEvents = 500;
  static constexpr std::size_t kMaxBytes = 256 * 1024;

  Partition(std::string_view cluster, std::string topic, std::int32_t partition,
            const FieldNames& names);

  /// Adds a message to the open batch.
  void Add(const Message& message);
  [[nodiscard]] bool has_open() const { return open_ != nullptr; }
  [[nodiscard]] bool full() const {
    return open_ != nullptr && (open_->size() >= kMaxEvents || open_->bytes >= kMaxBytes);
  }
  /// The open batch, with its acknowledgement.
  std::unique_ptr<EventBatch> Take();
  /// The reader stands at `offset` and nothing is there: what lies between the last message and
  /// there (marks of transactions, deleted messages) needs no delivery. Nothing may be open.
  void AtEnd(std::int64_t offset);

  /// What may be committed now: the lowest offset not yet acknowledged. -1 = nothing known.
  [[nodiscard]] std::int64_t Committable() const;
  /// Batches not yet heard of.
  [[nodiscard]] std::size_t InFlight() const;

  [[nodiscard]] const std::string& topic() const { return topic_; }
  [[nodiscard]] std::int32_t number() const { return number_; }
  [[nodiscard]] const EventId& stream() const { return stream_; }

  std::int64_t committed = -1;  ///< What the broker confirmed.
  bool at_end = false;          ///< Nothing was there to read, last we heard.

 private:
  void Start(std::int64_t offset);
  void Open();
  void AppendFields(const Message& message);
  [[nodiscard]] std::string_view HeadersAsJson(std::span<const Header> headers);

  const FieldNames& names_;
  std::string topic_;
  std::int32_t number_;
  EventId stream_;
  std::shared_ptr<AckTracker> tracker_;
  std::unique_ptr<EventBatch> open_;
  EventId* ids_ = nullptr;  ///< Free room in the open batch's arena.
  std::size_t ids_left_ = 0;
  std::int64_t next_ = -1;  ///< Offset after the last message.
};

}  // namespace millrace::agent::kafka
