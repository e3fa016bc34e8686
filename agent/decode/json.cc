#include "agent/decode/json.h"

#include <simdjson.h>

#include "agent/core/escape.h"
#include "agent/core/json_text.h"
#include "agent/decode/json_scanner.h"
#include "agent/decode/name_set.h"

namespace millrace::agent {
namespace {

void Add(Decoded& out, std::string_view name, const json::Scanner::Token& token) {
  switch (token.kind) {
    case '"':
      return out.Add(name, token.text, Type::kJsonString);
    case 't':
    case 'f':
      return out.AddInt(name, token.kind == 't' ? 1 : 0, Type::kBool);
    case 'n':
      return out.AddInt(name, 0, Type::kNull);
    default:
      return out.Add(name, token.text, Type::kRawJson);
  }
}

/// Valid UTF-8 on one line: the text itself, or a repaired copy.
const char* Prepare(std::string_view& text, Arena& arena, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) return "the text is longer than max_bytes";
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    if (!limits.lossy) return "not UTF-8";
    Buffer repaired;
    AppendUtf8(repaired, text);
    text = arena.Copy(repaired.view());
  }
  return nullptr;
}

/// JSON that may stand on several lines, without the blanks between its tokens.
std::string_view OnOneLine(std::string_view text, Arena& arena) {
  char* const out = arena.Allocate(text.size() + simdjson::SIMDJSON_PADDING);
  std::size_t size = 0;
  if (simdjson::minify(text.data(), text.size(), out, size) != simdjson::SUCCESS) return text;
  return {out, size};
}

}  // namespace

const char* JsonDecoder::DecodeWhole(std::string_view text, Arena& arena, Decoded& out) const {
  if (const char* why = Prepare(text, arena, limits_)) return why;
  json::Scanner scan(text.data() + text.size(), limits_.max_depth);
  json::Scanner::Token token;
  const char* const start = scan.SkipBlanks(text.data());
  const char* p = scan.Value(start, token);
  if (p == nullptr) return scan.error();
  std::string_view value(start, static_cast<std::size_t>(p - start));
  const bool breaks = scan.line_breaks();
  if (!scan.AtEnd(scan.SkipBlanks(p))) return "not JSON: something follows the value";
  if (breaks) value = OnOneLine(value, arena);
  out.value = json::FromText(value);
  return nullptr;
}

const char* JsonDecoder::Decode(std::string_view text, Arena& arena, Decoded& out) const {
  if (whole_) return DecodeWhole(text, arena, out);
  if (const char* why = Prepare(text, arena, limits_)) return why;
  json::Scanner scan(text.data() + text.size(), limits_.max_depth);
  const char* p = scan.SkipBlanks(text.data());
  const char* const start = p;
  if (!scan.At(p, '{')) return scan.AtEnd(p) ? "empty" : "not a JSON object";
  NameSet names;
  bool repeated = false;
  p = scan.SkipBlanks(p + 1);
  bool more = !scan.At(p, '}');
  if (!more) ++p;
  while (more) {
    json::Scanner::Token token;
    p = scan.Key(p, token);
    if (p == nullptr) return scan.error();
    std::string_view name = token.text;
    if (token.escaped) {
      char* const plain = arena.Allocate(name.size());
      const std::size_t size = json::Unescape(name, plain);
      arena.Shrink(plain, name.size(), size);
      name = {plain, size};
    }
    if (name.size() > kMaxNameLength) return "a key is longer than 65535 bytes";
    p = scan.Value(p, token);
    if (p == nullptr) return scan.error();
    const std::size_t known = names.FindOrNote(name, out.fields);
    if (known == NameSet::kNone) {
      if (out.fields.size() >= limits_.max_fields) return "more fields than max_fields";
      Add(out, name, token);
    } else {
      Add(out, name, token);
      out.fields[known] = out.fields.back();
      out.fields.pop_back();
      repeated = true;
    }
    p = scan.SkipBlanks(p);
    more = !scan.At(p, '}');
    if (more && !scan.At(p, ',')) return "not JSON: an object is not closed";
    p = more ? scan.SkipBlanks(p + 1) : p + 1;
  }
  const std::string_view object(start, static_cast<std::size_t>(p - start));
  const bool breaks = scan.line_breaks();
  if (!scan.AtEnd(scan.SkipBlanks(p))) return "not JSON: something follows the object";
  if (breaks) {
    // Rare (joined lines): the slices of nested values must fit on one line too.
    const std::string_view one_line = OnOneLine(object, arena);
    if (one_line.data() == object.data()) return "not JSON";
    out.Clear();
    return Decode(one_line, arena, out);
  }
  if (!repeated && out.fields.size() <= 65535) {
    out.object = object.data();
    out.object_len = static_cast<std::uint32_t>(object.size());
  }
  return nullptr;
}

}  // namespace millrace::agent
