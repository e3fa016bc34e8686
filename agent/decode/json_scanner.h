#pragma once
// One pass over JSON text that checks the grammar of RFC 8259 and says where things are. UTF-8 is
// checked by the caller.
#include <cstdint>
#include <string_view>

namespace millrace::agent::json {

/// The first of `"`, `\` and the control characters in [p, end), or `end`.
[[nodiscard]] const char* FindSpecial(const char* p, const char* end);

/// Every method takes the place where it starts and returns the place behind what it read, or null
/// (see error()). The place is passed and not kept here: in a register it costs a third of the time
/// that it costs in memory.
class Scanner {
 public:
  Scanner(const char* end, std::uint32_t max_depth) : end_(end), max_depth_(max_depth) {}

  struct Token {
    std::string_view text;  ///< Of a string: between the quotes. Else the whole value.
    char kind = 0;          ///< `"`, `{`, `[`, `0` (a number), `t`, `f`, `n`.
    bool escaped = false;   ///< Of a string: holds a backslash.
  };

  /// Never null.
  const char* SkipBlanks(const char* p) {
    while (p < end_ && static_cast<unsigned char>(*p) <= ' ') {
      if (*p == '\n' || *p == '\r') {
        line_breaks_ = true;
      } else if (*p != ' ' && *p != '\t') {
        break;
      }
      ++p;
    }
    return p;
  }
  /// `c` is next.
  [[nodiscard]] bool At(const char* p, char c) const { return p < end_ && *p == c; }
  /// A value of any kind; objects and arrays are checked to their end.
  const char* Value(const char* p, Token& token) { return Value(p, token, 0); }
  /// A string; `p` at the opening quote.
  const char* String(const char* p, Token& token);
  /// `"key" :` and the blanks around the colon.
  const char* Key(const char* p, Token& token) {
    if (!At(p, '"')) return Fail("not JSON: a key is missing");
    p = String(p, token);
    if (p == nullptr) return p;
    p = SkipBlanks(p);
    if (!At(p, ':')) return Fail("not JSON: a colon is missing");
    return SkipBlanks(p + 1);
  }

  [[nodiscard]] bool AtEnd(const char* p) const { return p >= end_; }
  /// A line break stood between tokens: the text is not fit for one line.
  [[nodiscard]] bool line_breaks() const { return line_breaks_; }
  /// Why the last call failed: a constant.
  [[nodiscard]] const char* error() const { return error_; }

 private:
  const char* Fail(const char* why) {
    error_ = why;
    return nullptr;
  }
  const char* Value(const char* p, Token& token, std::uint32_t depth);
  const char* Object(const char* p, std::uint32_t depth);
  const char* Array(const char* p, std::uint32_t depth);
  const char* Number(const char* p);
  const char* Literal(const char* p, std::string_view word);
  const char* Escape(const char* p);

  const char* const end_;
  const std::uint32_t max_depth_;
  bool line_breaks_ = false;
  const char* error_ = "not JSON";
};

}  // namespace millrace::agent::json
