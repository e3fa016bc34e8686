#pragma once
// Events live in batches. A batch owns its bytes; a field is 24 bytes that point into them.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/ack.h"
#include "agent/core/arena.h"

namespace millrace::agent {

enum class Type : std::uint8_t {
  kNull,
  kBool,        ///< i64 is 0 or 1.
  kInt,         ///< i64.
  kDouble,      ///< f64; never NaN or infinite.
  kString,      ///< Plain bytes; may be any bytes: the encoder escapes and repairs UTF-8.
  kJsonString,  ///< The text between the quotes of a valid JSON string, still escaped.
  kRawJson,     ///< Source text of a valid JSON number, object or array, written out unchanged.
  kTimestamp,   ///< i64 nanoseconds since 1970 UTC.
};

/// One field. Text is a view into the batch's arena or into something that outlives all batches.
struct Field {
  const char* name_data;
  union {
    const char* str;
    std::int64_t i64;
    double f64;
  };
  std::uint32_t len;  ///< Of text types; else 0.
  std::uint16_t name_len;
  Type type;

  [[nodiscard]] std::string_view name() const { return {name_data, name_len}; }
  [[nodiscard]] bool is_text() const { return type >= Type::kString && type <= Type::kRawJson; }
  /// Of kString, kJsonString and kRawJson, as stored.
  [[nodiscard]] std::string_view text() const { return {str, len}; }

  static Field Null(std::string_view name) { return Make(name, Type::kNull); }
  static Field Bool(std::string_view name, bool v);
  static Field Int(std::string_view name, std::int64_t v);
  static Field Double(std::string_view name, double v);
  /// `v` must outlive the batch or lie in its arena; at most 4 GiB.
  static Field String(std::string_view name, std::string_view v, Type type = Type::kString);
  static Field Timestamp(std::string_view name, std::int64_t ns);

 private:
  static Field Make(std::string_view name, Type type) {
    Field f{};
    f.name_data = name.data();
    f.name_len = static_cast<std::uint16_t>(name.size());
    f.type = type;
    return f;
  }
};
static_assert(sizeof(Field) == 24);

inline constexpr std::size_t kMaxNameLength = 65535;

/// Identity of an event wherever it is repeated: 128 bits.
struct EventId {
  std::uint64_t high = 0, low = 0;
  friend bool operator==(const EventId&, const EventId&) = default;
};
/// 32 lower-case hex digits.
[[nodiscard]] std::string ToHex(const EventId& id);
/// XXH3-128 of a text such as "file:<dev>:<inode>:<birth>:<generation>" or
/// "kafka:<cluster>:<topic>:<partition>".
[[nodiscard]] EventId HashStream(std::string_view identity);
/// The id of the event at a position of a stream; see Event::part.
[[nodiscard]] EventId IdAt(const EventId& stream, std::uint64_t position, std::uint64_t part = 0);

/// What an event is inside its batch.
struct Event {
  std::uint32_t first = 0,
                count = 0;       ///< Its fields: [first, first + count) of the batch's fields.
  std::int64_t time_ns = 0;      ///< The event's time, nanoseconds since 1970 UTC; 0 = unknown.
  std::uint64_t position = 0;    ///< In its stream: byte offset of the line, Kafka offset.
  const EventId* id = nullptr;   ///< Given by an earlier hop; null = made of stream and position.
  const char* object = nullptr;  ///< Source text "{...}" that the first object_fields still equal.
  std::uint32_t object_len = 0;
  std::uint16_t object_fields = 0;
  std::uint16_t part = 0;    ///< Number among the events that one input became (split, reduce).
  std::uint16_t output = 0;  ///< Index of a transform's named output; 0 = the default one.
  std::uint16_t flags = 0;
};

/// A few hundred events that travel together from decoder to sink, all of one stream (a file, a
/// Kafka partition, a connection), in order.
///
/// Written by one thread until sealed into shared_ptr<const EventBatch>; read-only after that, so
/// fan-out to several sinks copies a pointer, never events.
class EventBatch {
 public:
  EventBatch() = default;
  EventBatch(const EventBatch&) = delete;
  EventBatch& operator=(const EventBatch&) = delete;
  ~EventBatch();

  Arena arena;
  EventId stream;           ///< HashStream() of the source's stream.
  std::uint64_t bytes = 0;  ///< Of input these events came from.
  std::vector<std::shared_ptr<AckToken>>
      acks;  ///< Usually one; a transform that joins batches merges them.

  /// Starts a new event; Append() adds to it.
  Event& Begin(std::uint64_t position, std::int64_t time_ns);
  /// Adds a field to the newest event without looking for one of the same name.
  void Append(const Field& field) {
    fields_.push_back(field);
    ++events_.back().count;
  }

  [[nodiscard]] std::size_t size() const { return events_.size(); }
  [[nodiscard]] bool empty() const { return events_.empty(); }
  [[nodiscard]] std::span<const Event> events() const { return events_; }
  [[nodiscard]] const Event& event(std::size_t i) const { return events_[i]; }
  [[nodiscard]] Event& event(std::size_t i) { return events_[i]; }
  [[nodiscard]] std::span<const Field> fields(const Event& e) const {
    return {fields_.data() + e.first, e.count};
  }
  [[nodiscard]] std::span<const Field> fields(std::size_t i) const { return fields(events_[i]); }

  /// Fields that every event of the batch has (file, host, topic ...), stored once. An event's own
  /// field of the same name hides the common one.
  [[nodiscard]] const std::vector<Field>& common() const { return common_; }
  void AddCommon(const Field& field) { common_.push_back(field); }
  /// Turns common fields into own fields of every event (rare: a transform renames or removes one
  /// for some events only).
  void FlattenCommon();

  /// The event's own or the common field of that name; null if it has none. O(fields).
  [[nodiscard]] const Field* Find(const Event& e, std::string_view name) const;
  [[nodiscard]] const Field* Find(std::size_t i, std::string_view name) const {
    return Find(events_[i], name);
  }

  /// Sets or adds one field of event `i`. Invalidates pointers into fields(i).
  void Set(std::size_t i, const Field& field);
  /// Removes event i's field of that name; a common field is hidden for this event. False = it had
  /// none.
  bool Remove(std::size_t i, std::string_view name);
  /// Gives the field another name (replacing a field that had it); position among the fields is
  /// kept.
  bool Rename(std::size_t i, std::string_view from, std::string_view to);
  /// Replaces all own fields of event `i`.
  void Replace(std::size_t i, std::span<const Field> fields);
  /// Adds many new fields to event `i` at once. The caller knows that none of the names is there.
  void AppendTo(std::size_t i, std::span<const Field> fields);

  /// Marks an event for removal; Sweep() takes the marked ones out. The caller has counted the
  /// drop.
  void Drop(std::size_t i) { events_[i].flags |= kDropped; }
  [[nodiscard]] bool IsDropped(std::size_t i) const { return (events_[i].flags & kDropped) != 0; }
  void Sweep();

  /// An independent batch with a copy of those events whose index is in `which` (all if empty),
  /// that shares the bytes and the tokens. Each batch has to be settled: see BatchView and
  /// Routed().
  [[nodiscard]] std::unique_ptr<EventBatch> Fork(std::span<const std::uint32_t> which) const;
  /// Adds an event that shares nothing with the others but the arena: a copy of event `i` of
  /// `from`.
  void CopyEvent(const EventBatch& from, std::size_t i);

  struct Place {
    std::uint32_t index;   ///< Of an event.
    std::uint16_t output;  ///< Its Event::output.
  };
  /// The events become those of `places`, in that order; an event that stands there several times
  /// is copied, so that each copy can be changed by itself. Dropped ones are left out.
  void Spread(std::span<const Place> places);

  /// The identity of an event, the same after every replay.
  [[nodiscard]] EventId IdOf(const Event& e) const;

  /// What buffers and limits count: bytes kept alive, not bytes selected.
  [[nodiscard]] std::size_t Footprint() const {
    return arena.bytes() + fields_.capacity() * sizeof(Field) + events_.capacity() * sizeof(Event) +
           sizeof(*this);
  }
  void Reserve(std::size_t events, std::size_t fields_per_event);

  /// Says that every event now is in a view or was dropped as the user asked: settles the holder
  /// that each fork of the batch has on its tokens. Called by the topology only.
  void Routed();

  /// Event::flags.
  static constexpr std::uint16_t kDropped = 1;  ///< See Drop().
  static constexpr std::uint16_t kNoTime = 2;   ///< Encoders write no timestamp of the batch's own.
  static constexpr std::uint16_t kUser = 0x100;  ///< From here on free for transforms.

 private:
  /// Makes the event's fields the tail of fields_, so that it can grow.
  void MoveToTail(Event& e);
  /// kAbsentType marks a common field that this event has not.
  static constexpr auto kHidden = static_cast<Type>(255);
  friend class FieldView;

  std::vector<Field> fields_;
  std::vector<Event> events_;
  std::vector<Field> common_;
  bool holds_ = true;  ///< This fork's holder on the tokens is open.
};

/// The fields of an event as a reader sees them: own fields, then the common ones it does not hide.
/// `visit` is called with (const Field&).
template <class F>
void ForEachField(const EventBatch& batch, const Event& e, F&& visit);

/// Some events of a sealed batch: what a route hands to one sink. Move-only; a holder on the
/// batch's tokens from when it is made until Delivered(). Left alone, the source repeats the
/// events.
class BatchView {
 public:
  BatchView() = default;
  explicit BatchView(std::shared_ptr<const EventBatch> batch, bool holds_acks = true);
  BatchView(BatchView&& other) noexcept;
  BatchView& operator=(BatchView&& other) noexcept;
  ~BatchView() = default;

  /// The target has every event for good (or the dead-letter file has it, or the user asked for the
  /// drop, which was counted). Releases the batch.
  void Delivered() noexcept;
  [[nodiscard]] explicit operator bool() const { return batch_ != nullptr; }
  [[nodiscard]] const EventBatch& operator*() const { return *batch_; }
  [[nodiscard]] const EventBatch* operator->() const { return batch_.get(); }
  [[nodiscard]] const std::shared_ptr<const EventBatch>& shared() const { return batch_; }

 private:
  std::shared_ptr<const EventBatch> batch_;
  bool holds_acks_ = false;
};

// --- implementation of what must be inline ---

inline Field Field::Bool(std::string_view name, bool v) {
  Field f = Make(name, Type::kBool);
  f.i64 = v ? 1 : 0;
  return f;
}
inline Field Field::Int(std::string_view name, std::int64_t v) {
  Field f = Make(name, Type::kInt);
  f.i64 = v;
  return f;
}
inline Field Field::Double(std::string_view name, double v) {
  Field f = Make(name, Type::kDouble);
  f.f64 = v;
  return f;
}
inline Field Field::String(std::string_view name, std::string_view v, Type type) {
  Field f = Make(name, type);
  f.str = v.data();
  f.len = static_cast<std::uint32_t>(v.size());
  return f;
}
inline Field Field::Timestamp(std::string_view name, std::int64_t ns) {
  Field f = Make(name, Type::kTimestamp);
  f.i64 = ns;
  return f;
}

inline Event& EventBatch::Begin(std::uint64_t position, std::int64_t time_ns) {
  Event& e = events_.emplace_back();
  e.first = static_cast<std::uint32_t>(fields_.size());
  e.position = position;
  e.time_ns = time_ns;
  return e;
}

/// Own fields, hidden markers left out, then the common fields that none of the own ones hides.
class FieldView {
 public:
  template <class F>
  static void Visit(const EventBatch& batch, const Event& e, F&& visit) {
    const std::span<const Field> own = batch.fields(e);
    for (const Field& f : own)
      if (f.type != EventBatch::kHidden) visit(f);
    for (const Field& c : batch.common_) {
      bool hidden = false;
      for (const Field& f : own)
        hidden = hidden || (f.name_len == c.name_len && f.name() == c.name());
      if (!hidden) visit(c);
    }
  }
  [[nodiscard]] static bool Hidden(const Field& f) { return f.type == EventBatch::kHidden; }
};

template <class F>
void ForEachField(const EventBatch& batch, const Event& e, F&& visit) {
  FieldView::Visit(batch, e, std::forward<F>(visit));
}

}  // namespace millrace::agent
