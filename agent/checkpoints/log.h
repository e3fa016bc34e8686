#pragma once
// Formats of a CheckpointStore's two files. Private to agent/checkpoints and its tests.
//   millrace-checkpoints 1 <created, ns since 1970>
//   + <slot> <position> <note, hex> <key, escaped> <detail, escaped> <XXH3 of the line so far, hex>
//   - <key, escaped> <XXH3, hex>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "agent/checkpoints/store.h"

namespace millrace::agent {

inline constexpr std::string_view kCheckpointMagic = "millrace-checkpoints";
inline constexpr std::size_t kSlotSize = 32;

void AppendHeader(std::string& out, std::int64_t created_ns);
void AppendPutLine(std::string& out, std::uint32_t slot, const AckTracker::Mark& mark,
                   std::string_view key, std::string_view detail);
void AppendRemoveLine(std::string& out, std::string_view key);

/// What ties a slot to its stream, so that a slot used again is never taken for its former owner's.
[[nodiscard]] std::uint64_t CheckpointTag(std::string_view key);
void EncodeSlot(char* out, std::uint64_t tag, const AckTracker::Mark& mark);
[[nodiscard]] std::optional<AckTracker::Mark> DecodeSlot(const char* in, std::uint64_t tag);

}  // namespace millrace::agent
