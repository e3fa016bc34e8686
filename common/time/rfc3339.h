#pragma once
// RFC 3339 timestamps, the form in which JSON carries time.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::time {

inline constexpr std::size_t kMaxRfc3339 = 40;

/// Writes "2026-11-22T20:58:29.123Z" to `out`, which has room for kMaxRfc3339 bytes, and returns
/// the length. The fraction has 0, 3, 6 or 9 digits, as many as are needed.
std::size_t FormatRfc3339(std::int64_t ns, char* out);

/// The whole text, or nothing: date, "T", "t" or a blank, time, optional fraction after "." or ",",
/// "Z" or an offset ("+01:00", "+0100", "+01"). Digits of the fraction beyond nine are dropped.
[[nodiscard]] std::optional<std::int64_t> ParseRfc3339(std::string_view text);

}  // namespace millrace::time
