#pragma once
// Reads RFC 3339 timestamps; format.h writes them.
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::time {

/// The whole text, or nothing: date, "T", "t" or a blank, time, optional fraction after "." or ",",
/// "Z" or an offset ("+01:00", "+0100", "+01"). Digits of the fraction beyond nine are dropped.
[[nodiscard]] std::optional<std::int64_t> ParseRfc3339(std::string_view text);

}  // namespace millrace::time
