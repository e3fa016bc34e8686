#include "agent/core/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "agent/core/escape.h"
#include "common/base/strings.h"
#include "common/time/format.h"

namespace millrace::agent {

Value Value::Number() const {
  if (!is_number()) return {};
  if (type != Type::kRawJson) return *this;
  if (const auto i = ParseNumber<std::int64_t>(text())) return Int(*i);
  double d = 0;
  const auto [end, error] = std::from_chars(str, str + len, d);
  if (error == std::errc::result_out_of_range) {
    // from_chars does not say which end of the range.
    const bool tiny = text().find("e-") != text().npos || text().find("E-") != text().npos;
    d = tiny ? 0.0 : std::copysign(HUGE_VAL, *str == '-' ? -1.0 : 1.0);
    static_cast<void>(end);
  }
  return Double(d);
}

namespace json {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

const char* SkipBlanks(const char* p, const char* end) {
  while (p < end && IsBlank(*p)) ++p;
  return p;
}

/// `p` at the opening quote; returns the place behind the closing one.
const char* SkipString(const char* p, const char* end) {
  ++p;
  while (p < end) {
    const auto* quote =
        static_cast<const char*>(std::memchr(p, '"', static_cast<std::size_t>(end - p)));
    if (quote == nullptr) return end;
    std::size_t slashes = 0;
    while (quote - slashes > p && quote[-1 - static_cast<std::ptrdiff_t>(slashes)] == '\\')
      ++slashes;
    p = quote + 1;
    if (slashes % 2 == 0) return p;
  }
  return end;
}

const char* SkipValue(const char* p, const char* end) {
  if (p >= end) return end;
  if (*p == '"') return SkipString(p, end);
  if (*p != '{' && *p != '[') {
    while (p < end && *p != ',' && *p != '}' && *p != ']' && !IsBlank(*p)) ++p;
    return p;
  }
  std::size_t depth = 0;
  while (p < end) {
    const char c = *p;
    if (c == '"') {
      p = SkipString(p, end);
      continue;
    }
    ++p;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return p;
  }
  return end;
}

}  // namespace

Cursor::Cursor(std::string_view container)
    : p_(container.data()),
      end_(container.data() + container.size()),
      object_(!container.empty() && container[0] == '{') {
  if (p_ < end_) ++p_;
}

bool Cursor::Next() {
  p_ = SkipBlanks(p_, end_);
  if (p_ < end_ && *p_ == ',') p_ = SkipBlanks(p_ + 1, end_);
  if (p_ >= end_ || *p_ == '}' || *p_ == ']') return false;
  if (object_) {
    const char* start = p_;
    p_ = SkipString(p_, end_);
    key_ = {start + 1, static_cast<std::size_t>(p_ - start) - 2};
    p_ = SkipBlanks(p_, end_);
    p_ = SkipBlanks(p_ + 1, end_);  // the colon
  }
  const char* start = p_;
  p_ = SkipValue(p_, end_);
  value_ = {start, static_cast<std::size_t>(p_ - start)};
  return true;
}

Value FromText(std::string_view text) {
  if (text.empty()) return {};
  switch (text[0]) {
    case '"':
      return Value::Text(text.substr(1, text.size() - 2), Type::kJsonString);
    case 't':
      return Value::Bool(true);
    case 'f':
      return Value::Bool(false);
    case 'n':
      return Value::Null();
    default:
      return Value::Text(text, Type::kRawJson);
  }
}

Value Member(std::string_view object, std::string_view key) {
  std::string_view found;
  for (Cursor c(object); c.Next();)
    if (EqualsEscaped(c.key(), key)) found = c.value();
  return FromText(found);
}

Value Element(std::string_view array, std::size_t index) {
  Cursor c(array);
  while (c.Next())
    if (index-- == 0) return FromText(c.value());
  return {};
}

std::size_t Count(std::string_view container) {
  std::size_t n = 0;
  for (Cursor c(container); c.Next();) ++n;
  return n;
}

bool HasEscapes(std::string_view escaped) {
  return std::memchr(escaped.data(), '\\', escaped.size()) != nullptr;
}

std::size_t Unescape(std::string_view escaped, char* out) {
  thread_local Buffer buffer;
  buffer.clear();
  AppendUnescaped(buffer, escaped);
  // Of valid JSON never longer than what it was.
  const std::size_t size = std::min(buffer.size(), escaped.size());
  std::memcpy(out, buffer.data(), size);
  return size;
}

bool EqualsEscaped(std::string_view escaped, std::string_view plain) {
  // Six bytes of escape stand for at least one byte, so a far longer text cannot be equal.
  if (escaped.size() < plain.size() || escaped.size() / 6 > plain.size()) return false;
  if (!HasEscapes(escaped)) return escaped == plain;
  std::string buffer(escaped.size(), '\0');
  buffer.resize(Unescape(escaped, buffer.data()));
  return buffer == plain;
}

void AppendQuoted(Buffer& out, std::string_view plain) {
  out.Append('"');
  AppendEscaped(out, plain);
  out.Append('"');
}

void Append(Buffer& out, const Value& v) {
  if (!v.present) return out.Append("null");
  switch (v.type) {
    case Type::kNull:
      return out.Append("null");
    case Type::kBool:
      return out.Append(v.i64 != 0 ? "true" : "false");
    case Type::kInt: {
      char* p = out.Reserve(24);
      return out.CommitTo(std::to_chars(p, p + 24, v.i64).ptr);
    }
    case Type::kDouble: {
      if (!std::isfinite(v.f64)) return out.Append("null");
      char* p = out.Reserve(40);
      char* end = std::to_chars(p, p + 32, v.f64).ptr;
      // As the encoder does: 1.0 must not become an integer.
      if (std::none_of(p, end, [](char c) { return c == '.' || c == 'e'; })) {
        *end++ = '.';
        *end++ = '0';
      }
      return out.CommitTo(end);
    }
    case Type::kString:
      return AppendQuoted(out, v.text());
    case Type::kJsonString:
      out.Append('"');
      out.Append(v.text());
      return out.Append('"');
    case Type::kRawJson:
      return out.Append(v.text());
    case Type::kTimestamp: {
      char* p = out.Reserve(kMaxRfc3339 + 2);
      *p++ = '"';
      p = WriteRfc3339(v.i64, p);
      *p++ = '"';
      return out.CommitTo(p);
    }
  }
}

}  // namespace json
}  // namespace millrace::agent
