#pragma once
// One pass over JSON text that checks the grammar of RFC 8259 and says where things are. UTF-8 is
// checked by the caller.
#include <cstdint>
#include <string_view>

namespace millrace::agent::json {

/// The first of `"`, `\` and the control characters in [p, end), or `end`.
[[nodiscard]] const char* FindSpecial(const char* p, const char* end);

class Scanner {
 public:
  Scanner(std::string_view text, std::uint32_t max_depth)
      : p_(text.data()), end_(text.data() + text.size()), max_depth_(max_depth) {}

  struct Token {
    std::string_view text;  ///< Of a string: between the quotes. Else the whole value.
    char kind = 0;          ///< `"`, `{`, `[`, `0` (a number), `t`, `f`, `n`.
    bool escaped = false;   ///< Of a string: holds a backslash.
  };

  void SkipBlanks() {
    while (p_ < end_ && static_cast<unsigned char>(*p_) <= ' ') {
      if (*p_ == '\n' || *p_ == '\r') {
        line_breaks_ = true;
      } else if (*p_ != ' ' && *p_ != '\t') {
        return;
      }
      ++p_;
    }
  }
  /// Moves behind `c` if it is next.
  bool Take(char c) {
    if (p_ >= end_ || *p_ != c) return false;
    ++p_;
    return true;
  }
  /// Reads one value of any kind; objects and arrays are checked to their end.
  bool Value(Token& token) { return Value(token, 0); }
  /// Reads a string; the opening quote is next.
  bool String(Token& token);

  [[nodiscard]] bool at_end() const { return p_ >= end_; }
  [[nodiscard]] const char* position() const { return p_; }
  /// A line break stood between tokens: the text is not fit for one line.
  [[nodiscard]] bool line_breaks() const { return line_breaks_; }
  /// Why the last call failed.
  [[nodiscard]] const char* error() const { return error_; }

 private:
  bool Fail(const char* why) {
    error_ = why;
    return false;
  }
  bool Value(Token& token, std::uint32_t depth);
  bool Object(std::uint32_t depth);
  bool Array(std::uint32_t depth);
  bool Number();
  bool Literal(std::string_view word);
  bool Escape();

  const char *p_, *end_;
  std::uint32_t max_depth_;
  bool line_breaks_ = false;
  const char* error_ = "not JSON";
};

}  // namespace millrace::agent::json
