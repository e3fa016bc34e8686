#pragma once
// Small string helpers used by every part.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// Without the ASCII white space at both ends.
[[nodiscard]] std::string_view Trim(std::string_view s);
/// The pieces between separators; "a,,b" gives three. An empty input gives one empty piece.
[[nodiscard]] std::vector<std::string_view> Split(std::string_view s, char separator);
/// The non-empty pieces between runs of ASCII white space.
[[nodiscard]] std::vector<std::string_view> SplitWhitespace(std::string_view s);
[[nodiscard]] std::string ToLower(std::string_view s);
[[nodiscard]] bool EqualsIgnoreCase(std::string_view a, std::string_view b);

/// The whole of `s` as a number, or nothing: no sign for unsigned, no blanks, no overflow.
template <class T>
[[nodiscard]] std::optional<T> ParseNumber(std::string_view s, int base = 10) {
  T value{};
  std::from_chars_result r{};
  if constexpr (std::is_floating_point_v<T>) {
    r = std::from_chars(s.data(), s.data() + s.size(), value);
  } else {
    r = std::from_chars(s.data(), s.data() + s.size(), value, base);
  }
  if (r.ec != std::errc() || r.ptr != s.data() + s.size() || s.empty()) return std::nullopt;
  return value;
}

/// Levenshtein distance, for "did you mean".
[[nodiscard]] std::size_t EditDistance(std::string_view a, std::string_view b);
/// The candidate nearest to `word`, or "" when none is near enough to be a typing error of it.
[[nodiscard]] std::string_view Nearest(std::string_view word,
                                       std::span<const std::string_view> candidates);
/// `; did you mean "x"?` or "".
[[nodiscard]] std::string DidYouMean(std::string_view word,
                                     std::span<const std::string_view> candidates);

/// Text safe to print in a terminal and a log line: control bytes become \xNN, long input is cut
/// at `limit` bytes with an ellipsis.
[[nodiscard]] std::string Printable(std::string_view s, std::size_t limit = 200);

/// RFC 4648 section 4, with padding.
[[nodiscard]] std::string Base64Encode(std::string_view bytes);
[[nodiscard]] std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace millrace
