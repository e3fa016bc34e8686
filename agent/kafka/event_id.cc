#include "agent/kafka/event_id.h"

#include <charconv>
#include <cstring>

#include "common/base/strings.h"

namespace millrace::agent::kafka {
namespace {

std::optional<std::uint64_t> ParseHex(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9')
      digit = static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<unsigned>(c - 'a') + 10;
    else
      return std::nullopt;
    value = value << 4 | digit;
  }
  return value;
}

}  // namespace

void IdHeaderWriter::Start(const EventBatch& batch) {
  std::memcpy(stream_, ToHex(batch.stream).data(), 32);
  stream_[32] = '-';
}

std::string_view IdHeaderWriter::Value(const EventBatch& batch, const Event& event) {
  if (event.id != nullptr || event.part != 0) {
    std::memcpy(id_, ToHex(batch.IdOf(event)).data(), sizeof id_);
    return {id_, sizeof id_};
  }
  const auto end = std::to_chars(stream_ + 33, stream_ + sizeof stream_, event.position);
  return {stream_, static_cast<std::size_t>(end.ptr - stream_)};
}

std::optional<EventId> ParseIdHeader(std::string_view value) {
  if (value.size() < 32) return std::nullopt;
  const auto high = ParseHex(value.substr(0, 16));
  const auto low = ParseHex(value.substr(16, 16));
  if (!high || !low) return std::nullopt;
  if (value.size() == 32) return EventId{*high, *low};
  const auto position = ParseNumber<std::uint64_t>(value.substr(33));
  if (value[32] != '-' || !position) return std::nullopt;
  return IdAt({*high, *low}, *position);
}

EventId IdOfMessage(const EventId& stream, std::int64_t offset, std::int64_t timestamp_ms) {
  char key[32];
  std::memcpy(key, &stream.high, 8);
  std::memcpy(key + 8, &stream.low, 8);
  std::memcpy(key + 16, &offset, 8);
  std::memcpy(key + 24, &timestamp_ms, 8);
  return HashStream({key, sizeof key});
}

}  // namespace millrace::agent::kafka
