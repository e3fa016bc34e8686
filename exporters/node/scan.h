#pragma once
// Walking over the text of /proc files without copies.
#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/strings.h"

namespace millrace::node {

/// Takes the next line off `rest`, without its end. False when nothing is left.
inline bool NextLine(std::string_view& rest, std::string_view& line) {
  if (rest.empty()) return false;
  const auto at = rest.find('\n');
  line = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return true;
}

/// Takes the next word (between blanks) off `rest`; empty when none is left.
inline std::string_view NextWord(std::string_view& rest) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  const auto* first = std::find_if_not(rest.begin(), rest.end(), blank);
  const auto* last = std::find_if(first, rest.end(), blank);
  const std::string_view word(first, static_cast<std::size_t>(last - first));
  rest.remove_prefix(static_cast<std::size_t>(last - rest.begin()));
  return word;
}

/// What stands before `separator`, which is taken off `rest` too; all of it when there is none.
inline std::string_view NextPiece(std::string_view& rest, char separator) {
  const auto at = rest.find(separator);
  const std::string_view piece = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return piece;
}

inline std::optional<std::uint64_t> NextUnsigned(std::string_view& rest) {
  return ParseNumber<std::uint64_t>(NextWord(rest));
}

/// The words of a line in place: no more than N, the rest is counted but not kept.
template <std::size_t N>
struct Words {
  explicit Words(std::string_view line) {
    for (;;) {
      const std::string_view word = NextWord(line);
      if (word.empty()) break;
      if (count < N) words[count] = word;
      ++count;
    }
  }
  [[nodiscard]] std::size_t size() const { return count; }
  /// Empty beyond the last.
  std::string_view operator[](std::size_t i) const { return i < N ? words[i] : std::string_view(); }

  std::string_view words[N];
  std::size_t count = 0;
};

/// The numbers of a line into `out`, which is cleared first. False when a word is no number.
inline bool ReadNumbers(std::string_view line, std::vector<std::uint64_t>& out) {
  out.clear();
  for (auto word = NextWord(line); !word.empty(); word = NextWord(line)) {
    const auto number = ParseNumber<std::uint64_t>(word);
    if (!number) return false;
    out.push_back(*number);
  }
  return true;
}

/// A whole number as text, for label values: NumberText(7).view().
class NumberText {
 public:
  template <std::integral T>
  explicit NumberText(T value)
      : size_(static_cast<std::size_t>(std::to_chars(text_, text_ + sizeof text_, value).ptr -
                                       text_)) {}
  [[nodiscard]] std::string_view view() const { return {text_, size_}; }

 private:
  char text_[24];
  std::size_t size_;
};

/// "path: bad <what> <text>" for content that does not follow its format.
[[nodiscard]] inline tl::unexpected<Error> BadContent(std::string_view path, std::string_view what,
                                                      std::string_view text) {
  return Fail(ErrorCode::kParse, std::string(path) + ": bad " + std::string(what) + " \"" +
                                     Printable(text, 60) + "\"");
}

}  // namespace millrace::node
