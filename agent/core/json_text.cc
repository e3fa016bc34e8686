#include "agent/core/json_text.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "common/base/strings.h"
#include "common/time/rfc3339.h"

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

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

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

unsigned Hex4(const char* p) {
  unsigned v = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    v = v << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return v;
}

char* PutUtf8(char* out, unsigned cp) {
  if (cp < 0x80) {
    *out++ = static_cast<char>(cp);
  } else if (cp < 0x800) {
    *out++ = static_cast<char>(0xC0 | cp >> 6);
    *out++ = static_cast<char>(0x80 | (cp & 63));
  } else if (cp < 0x10000) {
    *out++ = static_cast<char>(0xE0 | cp >> 12);
    *out++ = static_cast<char>(0x80 | (cp >> 6 & 63));
    *out++ = static_cast<char>(0x80 | (cp & 63));
  } else {
    *out++ = static_cast<char>(0xF0 | cp >> 18);
    *out++ = static_cast<char>(0x80 | (cp >> 12 & 63));
    *out++ = static_cast<char>(0x80 | (cp >> 6 & 63));
    *out++ = static_cast<char>(0x80 | (cp & 63));
  }
  return out;
}

/// Length of the valid UTF-8 sequence at `p`, or 0.
std::size_t Utf8Length(const unsigned char* p, std::size_t left) {
  const unsigned char c = p[0];
  if (c < 0x80) return 1;
  const auto tail = [&](std::size_t n, unsigned char low, unsigned char high) -> std::size_t {
    if (left < n || p[1] < low || p[1] > high) return 0;
    for (std::size_t i = 2; i < n; ++i)
      if (p[i] < 0x80 || p[i] > 0xBF) return 0;
    return n;
  };
  if (c >= 0xC2 && c <= 0xDF) return tail(2, 0x80, 0xBF);
  if (c >= 0xE0 && c <= 0xEF) return tail(3, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF);
  if (c >= 0xF0 && c <= 0xF4) return tail(4, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF);
  return 0;
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

std::size_t Unescape(std::string_view escaped, char* const out) {
  char* o = out;
  const char* p = escaped.data();
  const char* const end = p + escaped.size();
  while (p < end) {
    const auto* slash =
        static_cast<const char*>(std::memchr(p, '\\', static_cast<std::size_t>(end - p)));
    const std::size_t plain = static_cast<std::size_t>((slash != nullptr ? slash : end) - p);
    std::memmove(o, p, plain);
    o += plain;
    p += plain;
    if (slash == nullptr || end - p < 2) break;
    const char c = p[1];
    p += 2;
    switch (c) {
      case 'b':
        *o++ = '\b';
        break;
      case 'f':
        *o++ = '\f';
        break;
      case 'n':
        *o++ = '\n';
        break;
      case 'r':
        *o++ = '\r';
        break;
      case 't':
        *o++ = '\t';
        break;
      case 'u': {
        if (end - p < 4) return static_cast<std::size_t>(o - out);
        unsigned cp = Hex4(p);
        p += 4;
        if (cp >= 0xD800 && cp < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
          const unsigned low = Hex4(p + 2);
          if (low >= 0xDC00 && low < 0xE000) {
            cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
            p += 6;
          }
        }
        o = PutUtf8(o, cp >= 0xD800 && cp < 0xE000 ? 0xFFFD : cp);
        break;
      }
      default:
        *o++ = c;
    }
  }
  return static_cast<std::size_t>(o - out);
}

bool EqualsEscaped(std::string_view escaped, std::string_view plain) {
  // Six bytes of escape stand for at least one byte, so a far longer text cannot be equal.
  if (escaped.size() < plain.size() || escaped.size() / 6 > plain.size()) return false;
  if (!HasEscapes(escaped)) return escaped == plain;
  std::string buffer(escaped.size(), '\0');
  buffer.resize(Unescape(escaped, buffer.data()));
  return buffer == plain;
}

void AppendRepaired(std::string& out, std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t start = 0, i = 0;
  while (i < text.size()) {
    if (const std::size_t n = Utf8Length(p + i, text.size() - i); n != 0) {
      i += n;
      continue;
    }
    out += text.substr(start, i - start);
    out += kReplacement;
    start = ++i;
    // One mark for the rest of a sequence that was cut short.
    if (p[i - 1] >= 0xC2)
      while (i < text.size() && p[i] >= 0x80 && p[i] <= 0xBF) start = ++i;
  }
  out += text.substr(start);
}

void AppendQuoted(std::string& out, std::string_view plain) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  const auto* p = reinterpret_cast<const unsigned char*>(plain.data());
  std::size_t start = 0, i = 0;
  while (i < plain.size()) {
    const unsigned char c = p[i];
    if (c >= 0x20 && c != '"' && c != '\\' && c < 0x80) {
      ++i;
      continue;
    }
    if (c >= 0x80) {
      const std::size_t n = Utf8Length(p + i, plain.size() - i);
      if (n != 0) {
        i += n;
        continue;
      }
      out += plain.substr(start, i - start);
      out += kReplacement;
      start = ++i;
      continue;
    }
    out += plain.substr(start, i - start);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
    start = ++i;
  }
  out += plain.substr(start);
  out += '"';
}

void Append(std::string& out, const Value& v) {
  char buffer[64];
  if (!v.present) {
    out += "null";
    return;
  }
  switch (v.type) {
    case Type::kNull:
      out += "null";
      return;
    case Type::kBool:
      out += v.i64 != 0 ? "true" : "false";
      return;
    case Type::kInt:
      out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, v.i64).ptr);
      return;
    case Type::kDouble:
      if (!std::isfinite(v.f64)) {
        out += "null";
        return;
      }
      out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, v.f64).ptr);
      return;
    case Type::kString:
      return AppendQuoted(out, v.text());
    case Type::kJsonString:
      out += '"';
      out += v.text();
      out += '"';
      return;
    case Type::kRawJson:
      out += v.text();
      return;
    case Type::kTimestamp:
      out += '"';
      out.append(buffer, time::FormatRfc3339(v.i64, buffer));
      out += '"';
      return;
  }
}

}  // namespace json
}  // namespace millrace::agent
