#include "agent/core/path.h"

#include <algorithm>
#include <span>

#include "agent/core/json_text.h"
#include "agent/core/name.h"

namespace millrace::agent {
namespace {

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '@' || static_cast<unsigned char>(c) >= 0x80;
}

using Segments = std::span<const Path::Segment>;

/// Reads `"..."`; \" and \\ are the only escapes.
Result<std::string> ScanQuoted(std::string_view& s) {
  std::string name;
  std::size_t i = 1;
  for (; i < s.size() && s[i] != '"'; ++i) {
    if (s[i] == '\\' && i + 1 < s.size() && (s[i + 1] == '"' || s[i + 1] == '\\')) ++i;
    name += s[i];
  }
  if (i >= s.size()) return Fail(ErrorCode::kParse, "a quoted name has no closing quote");
  s.remove_prefix(i + 1);
  return name;
}

void AppendMade(Buffer& out, Segments rest, const Value& value) {
  if (rest.empty()) return json::Append(out, value);
  if (rest[0].is_index) {
    out.Append('[');
    AppendMade(out, rest.subspan(1), value);
    out.Append(']');
    return;
  }
  out.Append('{');
  json::AppendQuoted(out, rest[0].name);
  out.Append(':');
  AppendMade(out, rest.subspan(1), value);
  out.Append('}');
}

/// Writes `text` (any value) to `out` with `value` put at `rest` inside it.
bool AppendChanged(Buffer& out, std::string_view text, Segments rest, const Value& value) {
  if (rest.empty()) {
    json::Append(out, value);
    return true;
  }
  const bool index = rest[0].is_index;
  if (text.empty() || text[0] != (index ? '[' : '{')) {
    if (index && rest[0].index != 0) return false;
    AppendMade(out, rest, value);
    return true;
  }
  out.Append(text[0]);
  bool found = false, first = true;
  std::size_t n = 0;
  for (json::Cursor c(text); c.Next(); ++n) {
    if (!first) out.Append(',');
    first = false;
    if (!index) {
      out.Append('"');
      out.Append(c.key());
      out.Append("\":");
    }
    if (index ? n == rest[0].index : json::EqualsEscaped(c.key(), rest[0].name)) {
      found = true;
      if (!AppendChanged(out, c.value(), rest.subspan(1), value)) return false;
    } else {
      out.Append(c.value());
    }
  }
  if (!found) {
    if (index && rest[0].index != n) return false;
    if (!first) out.Append(',');
    if (!index) {
      json::AppendQuoted(out, rest[0].name);
      out.Append(':');
    }
    for (const Path::Segment& s : rest.subspan(1))
      if (s.is_index && s.index != 0) return false;
    AppendMade(out, rest.subspan(1), value);
  }
  out.Append(index ? ']' : '}');
  return true;
}

bool AppendWithout(Buffer& out, std::string_view text, Segments rest) {
  const bool index = rest[0].is_index;
  if (text.empty() || text[0] != (index ? '[' : '{')) return false;
  out.Append(text[0]);
  bool found = false, first = true;
  std::size_t n = 0;
  for (json::Cursor c(text); c.Next(); ++n) {
    const bool here = index ? n == rest[0].index : json::EqualsEscaped(c.key(), rest[0].name);
    if (here && rest.size() == 1) {
      found = true;
      continue;
    }
    if (!first) out.Append(',');
    first = false;
    if (!index) {
      out.Append('"');
      out.Append(c.key());
      out.Append("\":");
    }
    if (here) {
      if (!AppendWithout(out, c.value(), rest.subspan(1))) return false;
      found = true;
    } else {
      out.Append(c.value());
    }
  }
  out.Append(index ? ']' : '}');
  return found;
}

}  // namespace

Result<Path> Path::Scan(std::string_view& s) {
  Path path;
  bool first = true;
  for (;;) {
    Segment segment;
    std::string_view before = s;
    if (!s.empty() && s[0] == '[' && !first) {
      s.remove_prefix(1);
      std::size_t n = 0;
      std::uint64_t index = 0;
      while (n < s.size() && n < 8 && s[n] >= '0' && s[n] <= '9')
        index = index * 10 + static_cast<unsigned>(s[n++] - '0');
      if (n == 0 || n >= s.size() || s[n] != ']')
        return Fail(ErrorCode::kParse, "an index is written [0]");
      s.remove_prefix(n + 1);
      segment.index = static_cast<std::uint32_t>(index);
      segment.is_index = true;
    } else {
      if (!s.empty() && s[0] == '.') {
        s.remove_prefix(1);
      } else if (!first) {
        break;
      }
      std::string name;
      if (!s.empty() && s[0] == '"') {
        auto quoted = ScanQuoted(s);
        if (!quoted) return tl::make_unexpected(std::move(quoted).error());
        name = std::move(*quoted);
      } else {
        std::size_t n = 0;
        while (n < s.size() && IsNameChar(s[n])) ++n;
        if (n == 0) {
          // "." alone is the event.
          if (first && before.size() != s.size()) break;
          return Fail(ErrorCode::kParse, "a name is missing");
        }
        if (!first && n < s.size() && s[n] == '(') {
          s = before;
          break;
        }
        name = s.substr(0, n);
        s.remove_prefix(n);
      }
      if (name.size() > kMaxNameLength) return Fail(ErrorCode::kParse, "a name is too long");
      segment.name = InternName(name);
    }
    path.segments_.push_back(segment);
    if (path.segments_.size() > 64) return Fail(ErrorCode::kParse, "more than 64 names deep");
    first = false;
  }
  return path;
}

Result<Path> Path::Parse(std::string_view text) {
  std::string_view rest = text;
  auto path = Scan(rest);
  if (!path)
    return Fail(ErrorCode::kParse,
                "not a path: \"" + std::string(text) + "\": " + path.error().message);
  if (!rest.empty())
    return Fail(ErrorCode::kParse, "not a path: \"" + std::string(text) +
                                       "\": quote names with other characters: .\"x y\"");
  return path;
}

std::string Path::ToString() const {
  if (root()) return ".";
  std::string out;
  for (const Segment& s : segments_) {
    if (s.is_index) {
      out += '[' + std::to_string(s.index) + ']';
    } else if (!s.name.empty() && std::all_of(s.name.begin(), s.name.end(), IsNameChar)) {
      out += '.';
      out += s.name;
    } else {
      out += ".\"";
      for (const char c : s.name) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
      out += '"';
    }
  }
  return out;
}

Value Path::Get(const EventBatch& batch, const Event& e) const {
  if (root()) return {};
  const Field* f = batch.Find(e, field());
  if (f == nullptr) {
    if (top_level() && e.time_ns != 0 && field() == names::kTimestamp)
      return Value::Timestamp(e.time_ns);
    return {};
  }
  Value v = Value::Of(*f);
  for (const Segment& s : Segments(segments_).subspan(1)) {
    if (s.is_index) {
      v = v.is_array() ? json::Element(v.text(), s.index) : Value();
    } else {
      v = v.is_object() ? json::Member(v.text(), s.name) : Value();
    }
    if (!v.present) break;
  }
  return v;
}

bool Path::Set(EventBatch& batch, std::size_t i, const Value& value) const {
  if (root()) return false;
  if (top_level()) {
    batch.Set(i, value.Named(field()));
    return true;
  }
  const Field* f = batch.Find(i, field());
  const std::string_view old =
      f != nullptr && f->type == Type::kRawJson ? f->text() : std::string_view();
  thread_local Buffer out;
  out.clear();
  if (!AppendChanged(out, old, Segments(segments_).subspan(1), value)) return false;
  batch.Set(i, Field::String(field(), batch.arena.Copy(out.view()), Type::kRawJson));
  return true;
}

bool Path::Remove(EventBatch& batch, std::size_t i) const {
  if (root()) return false;
  if (top_level()) return batch.Remove(i, field());
  const Field* f = batch.Find(i, field());
  if (f == nullptr || f->type != Type::kRawJson) return false;
  thread_local Buffer out;
  out.clear();
  if (!AppendWithout(out, f->text(), Segments(segments_).subspan(1))) return false;
  batch.Set(i, Field::String(field(), batch.arena.Copy(out.view()), Type::kRawJson));
  return true;
}

}  // namespace millrace::agent
