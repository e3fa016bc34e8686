#pragma once
// The header that carries an event's identity through Kafka, so that file -> Kafka -> Elasticsearch
// keeps one id even when the first agent repeats itself after a crash.
//
// Its value is either the id itself, 32 hex digits, or the two things that an id is made of:
// "<32 hex digits of the stream>-<position>". The second form is what a message with a position of
// its own gets: neighbours differ in a few digits only, so it costs next to nothing in a compressed
// batch, where a hash would add 16 bytes that nothing can compress.
#include <cstddef>
#include <optional>
#include <string_view>

#include "agent/core/event.h"

namespace millrace::agent::kafka {

inline constexpr const char* kIdHeader = "millrace-id";
inline constexpr std::size_t kMaxIdHeader = 32 + 1 + 20;

/// Writes header values for the events of one batch after another. Not thread safe.
class IdHeaderWriter {
 public:
  void Start(const EventBatch& batch);
  /// Valid until the next call.
  std::string_view Value(const EventBatch& batch, const Event& event);

 private:
  char stream_[kMaxIdHeader] = {};
  char id_[32] = {};
};

/// The id that a header stands for; nothing if it is neither form.
[[nodiscard]] std::optional<EventId> ParseIdHeader(std::string_view value);

/// The id of a message without that header. Its offset alone is not enough: a topic that was
/// deleted and made again starts at 0, and its messages must not be taken for those of the old one.
[[nodiscard]] EventId IdOfMessage(const EventId& stream, std::int64_t offset,
                                  std::int64_t timestamp_ms);

}  // namespace millrace::agent::kafka
