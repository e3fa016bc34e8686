#include "agent/core/event.h"

#include <algorithm>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/check.h"

namespace millrace::agent {

std::string ToHex(const EventId& id) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out(32, '0');
  for (std::size_t i = 0; i < 16; ++i) {
    out[15 - i] = kHex[id.high >> (4 * i) & 15];
    out[31 - i] = kHex[id.low >> (4 * i) & 15];
  }
  return out;
}

EventId HashStream(std::string_view identity) {
  const XXH128_hash_t h = XXH3_128bits(identity.data(), identity.size());
  return {h.high64, h.low64};
}

EventBatch::~EventBatch() = default;

EventId IdAt(const EventId& stream, std::uint64_t position, std::uint64_t part) {
  struct {
    EventId stream;
    std::uint64_t position, part;
  } const key = {stream, position, part};
  const XXH128_hash_t h = XXH3_128bits(&key, sizeof key);
  return {h.high64, h.low64};
}

void EventBatch::Reserve(std::size_t events, std::size_t fields_per_event) {
  events_.reserve(events);
  fields_.reserve(events * fields_per_event);
}

const Field* EventBatch::Find(const Event& e, std::string_view name) const {
  for (const Field& f : fields(e)) {
    if (f.name_len == name.size() && (f.name_data == name.data() || f.name() == name))
      return f.type == kHidden ? nullptr : &f;
  }
  for (const Field& f : common_) {
    if (f.name_len == name.size() && (f.name_data == name.data() || f.name() == name)) return &f;
  }
  return nullptr;
}

void EventBatch::MoveToTail(Event& e) {
  if (e.first + e.count == fields_.size()) return;
  const auto first = static_cast<std::uint32_t>(fields_.size());
  // Growth by doubling, not by what is asked for, or a batch would copy its fields once an event.
  if (fields_.capacity() - fields_.size() < e.count + 1U)
    fields_.reserve(std::max<std::size_t>(fields_.capacity() * 2, fields_.size() + e.count + 16));
  fields_.insert(fields_.end(), fields_.begin() + e.first, fields_.begin() + e.first + e.count);
  e.first = first;
}

void EventBatch::Set(std::size_t i, const Field& field) {
  Event& e = events_[i];
  for (std::uint32_t k = 0; k < e.count; ++k) {
    Field& f = fields_[e.first + k];
    if (f.name_len == field.name_len && f.name() == field.name()) {
      if (k < e.object_fields) {
        e.object = nullptr;
        e.object_fields = 0;
      }
      f = field;
      return;
    }
  }
  MoveToTail(e);
  fields_.push_back(field);
  ++e.count;
}

bool EventBatch::Remove(std::size_t i, std::string_view name) {
  Event& e = events_[i];
  bool common = false;
  for (const Field& c : common_) common = common || c.name() == name;
  for (std::uint32_t k = 0; k < e.count; ++k) {
    Field& f = fields_[e.first + k];
    if (f.name() != name) continue;
    if (k < e.object_fields) {
      e.object = nullptr;
      e.object_fields = 0;
    }
    const bool had = f.type != kHidden;
    if (common) {
      f.type = kHidden;
    } else {
      // Order is kept: a reader of the output expects fields where the application wrote them.
      std::copy(fields_.begin() + e.first + k + 1, fields_.begin() + e.first + e.count,
                fields_.begin() + e.first + k);
      --e.count;
      // Else a later event's range would start behind a hole at the tail, which is harmless.
      if (e.first + e.count + 1U == fields_.size()) fields_.pop_back();
    }
    return had;
  }
  if (!common) return false;
  Field hidden = Field::Null(name);
  for (const Field& c : common_)
    if (c.name() == name) hidden = c;
  hidden.type = kHidden;
  MoveToTail(e);
  fields_.push_back(hidden);
  ++e.count;
  return true;
}

bool EventBatch::Rename(std::size_t i, std::string_view from, std::string_view to) {
  const Field* found = Find(i, from);
  if (found == nullptr) return false;
  if (from == to) return true;
  Field moved = *found;
  moved.name_data = to.data();
  moved.name_len = static_cast<std::uint16_t>(to.size());
  Remove(i, to);
  Event& e = events_[i];
  for (std::uint32_t k = 0; k < e.count; ++k) {
    Field& f = fields_[e.first + k];
    if (f.name() != from) continue;
    bool common = false;
    for (const Field& c : common_) common = common || c.name() == from;
    if (common) break;
    if (k < e.object_fields) {
      e.object = nullptr;
      e.object_fields = 0;
    }
    f = moved;
    return true;
  }
  Remove(i, from);
  Set(i, moved);
  return true;
}

void EventBatch::Replace(std::size_t i, std::span<const Field> fields) {
  Event& e = events_[i];
  e.object = nullptr;
  e.object_fields = 0;
  if (fields.size() > e.count || e.first + e.count == fields_.size()) {
    const auto first = static_cast<std::uint32_t>(fields_.size());
    const Field* const data = fields_.data();
    if (fields.data() >= data && fields.data() < data + fields_.size()) {
      const std::vector<Field> copy(fields.begin(), fields.end());
      fields_.insert(fields_.end(), copy.begin(), copy.end());
    } else {
      fields_.insert(fields_.end(), fields.begin(), fields.end());
    }
    e.first = first;
  } else {
    std::copy(fields.begin(), fields.end(), fields_.begin() + e.first);
  }
  e.count = static_cast<std::uint32_t>(fields.size());
}

void EventBatch::AppendTo(std::size_t i, std::span<const Field> fields) {
  Event& e = events_[i];
  MoveToTail(e);
  fields_.insert(fields_.end(), fields.begin(), fields.end());
  e.count += static_cast<std::uint32_t>(fields.size());
}

void EventBatch::FlattenCommon() {
  if (common_.empty()) return;
  const std::vector<Field> common = std::exchange(common_, {});
  for (std::size_t i = 0; i < events_.size(); ++i) {
    for (const Field& c : common) {
      bool own = false;
      for (const Field& f : fields(i)) own = own || f.name() == c.name();
      if (!own) AppendTo(i, {&c, 1});
    }
    Event& e = events_[i];
    for (std::uint32_t k = 0; k < e.count;) {
      if (fields_[e.first + k].type != kHidden) {
        ++k;
        continue;
      }
      std::copy(fields_.begin() + e.first + k + 1, fields_.begin() + e.first + e.count,
                fields_.begin() + e.first + k);
      --e.count;
    }
  }
}

void EventBatch::Sweep() {
  std::erase_if(events_, [](const Event& e) { return (e.flags & kDropped) != 0; });
}

std::unique_ptr<EventBatch> EventBatch::Fork(std::span<const std::uint32_t> which) const {
  auto out = std::make_unique<EventBatch>();
  out->arena.Share(arena);
  out->stream = stream;
  out->acks = acks;
  for (const auto& token : acks) token->AddHolder();
  out->common_ = common_;
  if (which.empty()) {
    out->events_ = events_;
    out->fields_ = fields_;
    out->bytes = bytes;
    return out;
  }
  out->bytes = events_.empty() ? 0 : bytes * which.size() / events_.size();
  out->events_.reserve(which.size());
  for (const std::uint32_t i : which) out->CopyEvent(*this, i);
  return out;
}

void EventBatch::CopyEvent(const EventBatch& from, std::size_t i) {
  const Event& e = from.events_[i];
  const std::span<const Field> fields = from.fields(e);
  Event& copy = events_.emplace_back(e);
  copy.first = static_cast<std::uint32_t>(fields_.size());
  fields_.insert(fields_.end(), fields.begin(), fields.end());
}

void EventBatch::Spread(std::span<const Place> places) {
  const std::vector<Event> before = std::exchange(events_, {});
  std::vector<bool> used(before.size());
  events_.reserve(places.size());
  for (const Place& place : places) {
    Event& e = events_.emplace_back(before[place.index]);
    e.output = place.output;
    if (used[place.index]) {
      e.first = static_cast<std::uint32_t>(fields_.size());
      if (fields_.capacity() - fields_.size() < e.count)
        fields_.reserve(std::max<std::size_t>(fields_.capacity() * 2, fields_.size() + e.count));
      const auto from = fields_.begin() + before[place.index].first;
      fields_.insert(fields_.end(), from, from + e.count);
    }
    used[place.index] = true;
  }
}

EventId EventBatch::IdOf(const Event& e) const {
  if (e.id == nullptr) return IdAt(stream, e.position, e.part);
  return e.part == 0 ? *e.id : IdAt(*e.id, 0, e.part);
}

void EventBatch::Routed() {
  MILLRACE_DCHECK(holds_);
  holds_ = false;
  for (const auto& token : acks) token->Settle();
}

BatchView::BatchView(std::shared_ptr<const EventBatch> batch, bool holds_acks)
    : batch_(std::move(batch)), holds_acks_(holds_acks) {
  if (holds_acks_)
    for (const auto& token : batch_->acks) token->AddHolder();
}

BatchView::BatchView(BatchView&& other) noexcept
    : batch_(std::move(other.batch_)), holds_acks_(std::exchange(other.holds_acks_, false)) {}

BatchView& BatchView::operator=(BatchView&& other) noexcept {
  batch_ = std::move(other.batch_);
  holds_acks_ = std::exchange(other.holds_acks_, false);
  return *this;
}

void BatchView::Delivered() noexcept {
  if (batch_ == nullptr) return;
  if (holds_acks_)
    for (const auto& token : batch_->acks) token->Settle();
  holds_acks_ = false;
  batch_.reset();
}

}  // namespace millrace::agent
