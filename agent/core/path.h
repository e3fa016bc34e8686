#pragma once
// A path into an event: ".message", ".user.name", ".items[0].price", `."x-request-id"`, "." for the
// whole event. Read once from the configuration, then used on every event.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/event.h"
#include "agent/core/value.h"
#include "common/base/result.h"

namespace millrace::agent {

class Path {
 public:
  struct Segment {
    std::string_view name;  ///< Interned; of an index: empty.
    std::uint32_t index = 0;
    bool is_index = false;
  };

  Path() = default;
  /// The leading dot may be left out. Names without quotes consist of letters, digits, "_", "-" and
  /// "@".
  [[nodiscard]] static Result<Path> Parse(std::string_view text);
  /// Reads a path that starts at text[0] and moves `text` behind it; for the expression language,
  /// where a "(" behind the last name makes that name a method, which is left in `text`.
  [[nodiscard]] static Result<Path> Scan(std::string_view& text);

  /// The whole event.
  [[nodiscard]] bool root() const { return segments_.empty(); }
  /// A field of the event itself, not something inside it.
  [[nodiscard]] bool top_level() const { return segments_.size() == 1; }
  /// Of the field that the path starts with; must not be the root.
  [[nodiscard]] std::string_view field() const { return segments_[0].name; }
  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }
  /// As it would be written.
  [[nodiscard]] std::string ToString() const;

  /// The value there. ".timestamp" is the event's time if it has no field of that name. The root
  /// yields absent. No allocation.
  [[nodiscard]] Value Get(const EventBatch& batch, const Event& e) const;
  /// Puts a value there; its text must live as long as the batch. Objects on the way are made, and
  /// a value on the way that is no object is replaced by one. An index must be within its array or
  /// one behind its end. False = not possible (root, index out of range), nothing changed.
  bool Set(EventBatch& batch, std::size_t i, const Value& value) const;
  /// False = there was nothing.
  bool Remove(EventBatch& batch, std::size_t i) const;

 private:
  std::vector<Segment> segments_;
};

}  // namespace millrace::agent
