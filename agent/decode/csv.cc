#include "agent/decode/csv.h"

#include <cstring>

#include "agent/core/json_text.h"
#include "agent/decode/convert.h"
#include "agent/decode/find.h"

namespace millrace::agent {
namespace {

constexpr std::size_t kMaxColumns = 100'000;

/// `p` behind the opening quote; moves behind the closing one. False = it is not closed.
bool TakeQuoted(const char*& p, const char* end, Arena& arena, std::string_view& out) {
  const char* const start = p;
  bool doubled = false;
  for (;;) {
    p = FindByte(p, end, '"');
    if (p >= end) return false;
    if (end - p < 2 || p[1] != '"') break;
    doubled = true;
    p += 2;
  }
  out = Slice(start, p);
  ++p;
  if (!doubled) return true;
  char* const copy = arena.Allocate(out.size());
  char* o = copy;
  for (std::size_t i = 0; i < out.size(); ++i) {
    *o++ = out[i];
    if (out[i] == '"') ++i;
  }
  arena.Shrink(copy, out.size(), static_cast<std::size_t>(o - copy));
  out = {copy, static_cast<std::size_t>(o - copy)};
  return true;
}

}  // namespace

const char* CsvDecoder::Decode(std::string_view text, Arena& arena, Decoded& out) const {
  const char* p = text.data();
  const char* const end = p + text.size();
  std::size_t n = 0;
  while (p < end || n > 0) {
    std::string_view word;
    bool quoted = false;
    if (p < end && *p == '"') {
      ++p;
      if (!TakeQuoted(p, end, arena, word)) return "a quote is not closed";
      quoted = true;
      if (p < end && *p != options_.delimiter && *p != '\n' && *p != '\r')
        return "something follows a closing quote";
    } else {
      const char* const start = p;
      while (p < end && *p != options_.delimiter && *p != '\n' && *p != '\r') ++p;
      word = Slice(start, p);
    }
    if (n >= kMaxColumns) return "more than 100000 columns";
    std::string_view name;
    if (n < options_.columns.size()) {
      name = options_.columns[n];
    } else if (!options_.columns.empty()) {
      name = arena.Copy("column" + std::to_string(n + 1));
    }
    const Value value = options_.infer_types && !quoted ? Inferred(word) : Value::Text(word);
    out.fields.push_back(value.Named(name));
    ++n;
    if (p >= end || *p != options_.delimiter) break;
    ++p;
  }
  if (!options_.columns.empty()) return n == 0 ? "empty" : nullptr;
  Buffer b;
  b.Append('[');
  for (const Field& f : out.fields) {
    if (b.size() > 1) b.Append(',');
    json::Append(b, Value::Of(f));
  }
  b.Append(']');
  out.fields.clear();
  out.value = Value::Text(arena.Copy(b.view()), Type::kRawJson);
  return nullptr;
}

}  // namespace millrace::agent
