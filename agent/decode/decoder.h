#pragma once
// Text -> fields. Parsers know no configuration file and no topology: transforms and rule steps own
// them and decide what becomes of the fields and of a failure.
#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/core/arena.h"
#include "agent/core/event.h"
#include "agent/core/value.h"

namespace millrace::agent {

/// What a decoder found. Reused from event to event, so that nothing is allocated per event.
struct Decoded {
  std::vector<Field> fields;     ///< No name stands here twice.
  std::int64_t time_ns = 0;      ///< The event's own time; 0 = the text has none.
  const char* object = nullptr;  ///< Of JSON: the text that `fields` are, see Event::object.
  std::uint32_t object_len = 0;
  Value value;  ///< If present, the result is this one value and not fields.

  void Clear() {
    value = {};
    fields.clear();
    time_ns = 0;
    object = nullptr;
    object_len = 0;
  }
  // Fields are written in place: made elsewhere and copied, each costs a store that cannot be
  // forwarded to the wider load behind it, 10 ns (half of the time of the JSON decoder once).
  void Add(std::string_view name, std::string_view text, Type type = Type::kString) {
    Field& f = fields.emplace_back();
    f.name_data = name.data();
    f.str = text.data();
    f.len = static_cast<std::uint32_t>(text.size());
    f.name_len = static_cast<std::uint16_t>(name.size());
    f.type = type;
  }
  /// kNull, kBool, kInt, kTimestamp.
  void AddInt(std::string_view name, std::int64_t v, Type type = Type::kInt) {
    Field& f = fields.emplace_back();
    f.name_data = name.data();
    f.i64 = v;
    f.len = 0;
    f.name_len = static_cast<std::uint16_t>(name.size());
    f.type = type;
  }
  void AddDouble(std::string_view name, double v) { fields.push_back(Field::Double(name, v)); }
};

/// Stateless and thread safe.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Adds what `text` says to `out`, which is clear; views point into `text`, into `arena` or to
  /// constants. Returns nullptr, or why the text does not follow the format: a constant, fit to
  /// stand in a field. `out` is garbage then.
  virtual const char* Decode(std::string_view text, Arena& arena, Decoded& out) const = 0;
};

}  // namespace millrace::agent
