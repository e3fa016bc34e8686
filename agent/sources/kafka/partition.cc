#include "agent/sources/kafka/partition.h"

#include <algorithm>
#include <new>
#include <utility>

#include "agent/core/name.h"
#include "agent/encode/escape.h"
#include "agent/kafka/event_id.h"
#include "common/base/buffer.h"

namespace millrace::agent::kafka {
namespace {

/// Of one message; more are left out. Grouping them is quadratic.
constexpr std::size_t kMaxHeaders = 100;
constexpr std::size_t kIdsAtOnce = 64;
constexpr std::string_view kSourceTypeValue = "kafka";

bool IsIdHeader(const Header& h) { return h.name == kIdHeader; }

}  // namespace

Partition::Partition(std::string_view cluster, std::string topic, std::int32_t partition,
                     const FieldNames& names)
    : names_(names),
      topic_(std::move(topic)),
      number_(partition),
      stream_(HashStream("kafka:" + std::string(cluster) + ":" + topic_ + ":" +
                         std::to_string(partition))) {}

void Partition::Start(std::int64_t offset) {
  const auto position = static_cast<std::uint64_t>(std::max<std::int64_t>(offset, 0));
  tracker_ = std::make_shared<AckTracker>(AckTracker::Mark{position, 0});
  next_ = offset;
}

void Partition::Open() {
  open_ = std::make_unique<EventBatch>();
  open_->stream = stream_;
  ids_left_ = 0;
  open_->AddCommon(Field::String(names::kSourceType, kSourceTypeValue));
  if (!names_.topic.empty())
    open_->AddCommon(Field::String(names_.topic, open_->arena.Copy(topic_)));
  if (!names_.partition.empty()) open_->AddCommon(Field::Int(names_.partition, number_));
}

void Partition::Add(const Message& message) {
  // Offsets may go back (messages read again after a pause, an offset reset): the tracker takes
  // ranges in the order in which they were sent, so nothing is committed too early.
  if (tracker_ == nullptr) Start(message.offset);
  if (open_ == nullptr) Open();
  next_ = message.offset + 1;
  at_end = false;
  AppendFields(message);
  open_->bytes += message.payload.size() + message.key.size();
}

void Partition::AppendFields(const Message& message) {
  EventBatch& batch = *open_;
  Event& event = batch.Begin(static_cast<std::uint64_t>(message.offset),
                             message.timestamp_ms < 0 ? 0 : message.timestamp_ms * 1'000'000);
  if (ids_left_ == 0) {
    constexpr std::size_t kAlign = alignof(EventId);
    void* room = batch.arena.Allocate(kIdsAtOnce * sizeof(EventId) + kAlign);
    std::size_t space = kIdsAtOnce * sizeof(EventId) + kAlign;
    ids_ = static_cast<EventId*>(std::align(kAlign, kIdsAtOnce * sizeof(EventId), room, space));
    ids_left_ = kIdsAtOnce;
  }
  auto* id = new (ids_++) EventId(IdOfMessage(stream_, message.offset, message.timestamp_ms));
  --ids_left_;
  event.id = id;
  std::size_t other_headers = 0;
  for (const Header& h : message.headers) {
    if (!IsIdHeader(h)) {
      ++other_headers;
    } else if (const auto given = ParseIdHeader(h.value)) {
      *id = *given;
    }
  }
  if (message.payload.data() == nullptr)
    batch.Append(Field::Null(names::kMessage));
  else
    batch.Append(Field::String(names::kMessage, batch.arena.Copy(message.payload)));
  if (!names_.key.empty() && message.key.data() != nullptr)
    batch.Append(Field::String(names_.key, batch.arena.Copy(message.key)));
  if (!names_.offset.empty()) batch.Append(Field::Int(names_.offset, message.offset));
  if (!names_.headers.empty() && other_headers > 0)
    batch.Append(Field::String(names_.headers, HeadersAsJson(message.headers), Type::kRawJson));
}

std::string_view Partition::HeadersAsJson(std::span<const Header> headers) {
  if (headers.size() > kMaxHeaders) headers = headers.first(kMaxHeaders);
  Buffer out;
  out.Append('{');
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (IsIdHeader(headers[i])) continue;
    const auto same = [&](const Header& h) { return h.name == headers[i].name; };
    if (std::any_of(headers.begin(), headers.begin() + static_cast<std::ptrdiff_t>(i), same))
      continue;  // Written with the first of its name.
    out.Append(out.size() == 1 ? "\"" : ",\"");
    AppendEscaped(out, headers[i].name);
    out.Append("\":[");
    for (std::size_t k = i; k < headers.size(); ++k) {
      if (!same(headers[k])) continue;
      out.Append(k == i ? "\"" : ",\"");
      AppendEscaped(out, headers[k].value);
      out.Append('"');
    }
    out.Append(']');
  }
  out.Append('}');
  return open_->arena.Copy(out.view());
}

std::unique_ptr<EventBatch> Partition::Take() {
  open_->acks.push_back(
      std::make_shared<RangeAck>(tracker_, AckTracker::Mark{static_cast<std::uint64_t>(next_), 0}));
  return std::move(open_);
}

void Partition::AtEnd(std::int64_t offset) {
  at_end = true;
  if (tracker_ == nullptr) return Start(offset);
  if (offset <= next_) return;
  tracker_->Resolve(tracker_->Register({static_cast<std::uint64_t>(offset), 0}), true);
  next_ = offset;
}

std::int64_t Partition::Committable() const {
  return tracker_ == nullptr ? -1 : static_cast<std::int64_t>(tracker_->position());
}

std::size_t Partition::InFlight() const { return tracker_ == nullptr ? 0 : tracker_->in_flight(); }

}  // namespace millrace::agent::kafka
