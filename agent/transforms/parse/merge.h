#pragma once
// Puts what a decoder found into an event.
#include "agent/core/path.h"
#include "agent/decode/decoder.h"

namespace millrace::agent {

/// The text a value stands for, or a null view if it is no string. A JSON string with escapes is
/// taken out of them into the batch's arena.
[[nodiscard]] std::string_view TextOf(const Value& value, Arena& arena);

/// The fields of `decoded` as one JSON object in the arena.
[[nodiscard]] Value AsObject(const Decoded& decoded, Arena& arena);

/// New fields first, then those the event had, but for `source` if `drop_source` and those that
/// have a new value. `decoded` is used up.
void MergeTop(EventBatch& batch, std::size_t i, Decoded& decoded, const Path& source,
              bool drop_source);

}  // namespace millrace::agent
