#include "agent/decode/key_value.h"

#include <algorithm>
#include <cstring>

#include "agent/core/json_text.h"
#include "agent/decode/convert.h"
#include "agent/decode/find.h"
#include "agent/decode/name_set.h"

namespace millrace::agent {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool StartsWith(const char* p, const char* end, std::string_view token) {
  return static_cast<std::size_t>(end - p) >= token.size() &&
         std::memcmp(p, token.data(), token.size()) == 0;
}

/// Quoted text without its escapes: a view if it has none.
std::string_view Unquote(std::string_view s, Arena& arena) {
  if (std::memchr(s.data(), '\\', s.size()) == nullptr) return s;
  char* const out = arena.Allocate(s.size());
  char* o = out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    static constexpr std::string_view kFrom = "\"'\\nrt", kTo = "\"'\\\n\r\t";
    if (s[i] == '\\' && i + 1 < s.size()) {
      const auto at = kFrom.find(s[i + 1]);
      if (at != std::string_view::npos) {
        *o++ = kTo[at];
        ++i;
        continue;
      }
    }
    *o++ = s[i];
  }
  arena.Shrink(out, s.size(), static_cast<std::size_t>(o - out));
  return {out, static_cast<std::size_t>(o - out)};
}

class Reader {
 public:
  Reader(std::string_view text, const KeyValueOptions& options, Arena& arena)
      : p_(text.data()), end_(text.data() + text.size()), options_(options), arena_(arena) {}

  [[nodiscard]] bool at_end() const { return p_ >= end_; }
  void SkipBlanks() {
    if (!options_.lenient_blanks) return;
    while (p_ < end_ && IsBlank(*p_)) ++p_;
  }
  /// Field delimiters and what lies between them.
  void SkipDelimiters() {
    for (;;) {
      SkipBlanks();
      if (at_end() || !StartsWith(p_, end_, options_.field_delimiter)) return;
      p_ += options_.field_delimiter.size();
    }
  }
  /// Where a blank separates the fields, "a= b=c" has an empty a, but "a = b" is a pair.
  bool TakeKeyValueDelimiter() {
    const char* const before = p_;
    SkipBlanks();
    const bool spaced = p_ != before;
    if (StartsWith(p_, end_, options_.key_value_delimiter)) {
      p_ += options_.key_value_delimiter.size();
      if (spaced || !IsBlank(options_.field_delimiter[0])) SkipBlanks();
      return true;
    }
    p_ = before;
    return false;
  }
  /// Quoted text that a delimiter or the end follows; else nothing is read.
  bool Quoted(std::string_view& out, bool key) {
    if (at_end() || (*p_ != '"' && *p_ != '\'')) return false;
    const char quote = *p_;
    const char* q = p_ + 1;
    while (q < end_ && *q != quote) q += *q == '\\' && end_ - q > 1 ? 2 : 1;
    if (q >= end_) return false;
    const char* after = q + 1;
    if (options_.lenient_blanks)
      while (after < end_ && IsBlank(*after)) ++after;
    const bool blank = after > q + 1 && IsBlank(options_.field_delimiter[0]);
    if (after < end_ && !blank && !StartsWith(after, end_, options_.field_delimiter) &&
        !(key && StartsWith(after, end_, options_.key_value_delimiter)))
      return false;
    out = Unquote(Slice(p_ + 1, q), arena_);
    p_ = q + 1;
    return true;
  }
  /// Up to the next delimiter; `key`: of either kind.
  std::string_view Bare(bool key) {
    const char* const start = p_;
    const char field = options_.field_delimiter[0], pair = options_.key_value_delimiter[0];
    if (!key && options_.field_delimiter.size() == 1) {
      p_ = FindByte(p_, end_, field);
    } else {
      for (; p_ < end_; ++p_) {
        if (*p_ == field && StartsWith(p_, end_, options_.field_delimiter)) break;
        if (key && *p_ == pair && StartsWith(p_, end_, options_.key_value_delimiter)) break;
      }
    }
    const char* stop = p_;
    if (options_.lenient_blanks)
      while (stop > start && IsBlank(stop[-1])) --stop;
    return Slice(start, stop);
  }
  [[nodiscard]] bool at_quote() const { return p_ < end_ && *p_ == '"'; }

 private:
  const char *p_, *end_;
  const KeyValueOptions& options_;
  Arena& arena_;
};

/// A repeated key: its values in an array, where words without a value do not count.
void Join(Decoded& out, std::size_t at, const Value& next, bool standalone, Arena& arena) {
  Field& old = out.fields[at];
  if (standalone) return;
  const Value before = Value::Of(old);
  if (before.type == Type::kBool) {
    old = next.Named(old.name());
    return;
  }
  Buffer b;
  b.Append('[');
  if (before.is_array()) {
    b.Append(before.text().substr(1, before.text().size() - 2));
  } else {
    json::Append(b, before);
  }
  b.Append(',');
  json::Append(b, next);
  b.Append(']');
  old = Field::String(old.name(), arena.Copy(b.view()), Type::kRawJson);
}

}  // namespace

const char* KeyValueDecoder::Decode(std::string_view text, Arena& arena, Decoded& out) const {
  Reader in(text, options_, arena);
  NameSet names;
  bool any_pair = false;
  std::size_t repeats = 0;
  for (in.SkipDelimiters(); !in.at_end(); in.SkipDelimiters()) {
    std::string_view key;
    if (!in.Quoted(key, true)) key = in.Bare(true);
    if (key.size() > kMaxNameLength) return "a key is longer than 65535 bytes";
    Value value = Value::Bool(true);
    const bool pair = in.TakeKeyValueDelimiter();
    if (pair) {
      any_pair = true;
      std::string_view word;
      if (in.Quoted(word, false)) {
        value = Value::Text(word);
      } else {
        const bool quote = in.at_quote();
        word = in.Bare(false);
        if (quote) return "a quote is not closed, or something follows it";
        value = options_.infer_types ? Inferred(word) : Value::Text(word);
      }
    } else if (!options_.standalone_keys) {
      return "a word without a value";
    } else if (key.empty()) {
      continue;
    }
    const std::size_t known = names.FindOrNote(key, out.fields);
    if (known == NameSet::kNone) {
      if (out.fields.size() >= 100'000) return "more than 100000 fields";
      out.fields.push_back(value.Named(key));
    } else {
      if (++repeats > 1000) return "a key is repeated more than 1000 times";
      Join(out, known, value, !pair, arena);
    }
  }
  if (!any_pair && options_.need_pair) return "no key=value pair";
  return nullptr;
}

}  // namespace millrace::agent
