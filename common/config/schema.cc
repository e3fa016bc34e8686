// What a Visitor describes: JSON Schema and the reference tables.
#include <fmt/format.h>

#include "common/config/visitor.h"

namespace millrace::config {
namespace {

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out + '"';
}

std::string_view JsonType(Schema::Kind kind) {
  using enum Schema::Kind;
  switch (kind) {
    case kBool:
      return "\"boolean\"";
    case kInteger:
      return "\"integer\"";
    case kNumber:
      return "\"number\"";
    case kString:
    case kSecret:
    case kDuration:
      return "\"string\"";
    case kBytes:
      return "[\"integer\", \"string\"]";
    case kArray:
      return "\"array\"";
    case kMap:
    case kObject:
      return "\"object\"";
    case kAny:
      return "";
  }
  return "";
}

std::string TypeWords(const Schema& s) {
  using enum Schema::Kind;
  if (!s.choices.empty()) return fmt::format("{}", fmt::join(s.choices, " \\| "));
  switch (s.kind) {
    case kBool:
      return "bool";
    case kInteger:
      return "integer";
    case kNumber:
      return "number";
    case kString:
      return "string";
    case kSecret:
      return "secret";
    case kDuration:
      return "duration";
    case kBytes:
      return "bytes";
    case kArray:
      return "list of " + (s.items ? TypeWords(*s.items) : "any");
    case kMap:
      return "map of " + (s.items ? TypeWords(*s.items) : "any");
    case kObject:
      return "mapping";
    case kAny:
      return "any";
  }
  return "";
}

void Rows(const Schema& schema, const std::string& prefix, std::string& out) {
  for (const auto& [name, s] : schema.properties) {
    const std::string key = prefix + name;
    std::string type = TypeWords(*s);
    if (s->minimum && (*s->minimum > 0 || s->maximum)) {
      type += s->maximum ? fmt::format(", {} to {}", *s->minimum, *s->maximum)
                         : fmt::format(", at least {}", *s->minimum);
    }
    const std::string fallback = s->required               ? "**required**"
                                 : s->default_text.empty() ? ""
                                                           : "`" + s->default_text + "`";
    out += fmt::format("| `{}` | {} | {} | {} |\n", key, type, fallback, s->help);
    Rows(*s, key + ".", out);
    if (s->items) Rows(*s->items, key + (s->kind == Schema::Kind::kArray ? "[]." : ".*."), out);
  }
}

}  // namespace

std::string ToJsonSchema(const Schema& s, int indent) {
  const std::string pad(static_cast<std::size_t>(indent) + 2, ' ');
  std::vector<std::string> parts;
  if (const auto type = JsonType(s.kind); !type.empty())
    parts.push_back(fmt::format("\"type\": {}", type));
  if (!s.help.empty()) parts.push_back("\"description\": " + Quote(s.help));
  if (!s.default_text.empty()) parts.push_back("\"default\": " + s.default_text);
  if (s.minimum) parts.push_back(fmt::format("\"minimum\": {}", *s.minimum));
  if (s.maximum) parts.push_back(fmt::format("\"maximum\": {}", *s.maximum));
  if (!s.choices.empty()) {
    std::vector<std::string> quoted;
    for (const auto& c : s.choices) quoted.push_back(Quote(c));
    const std::string list = fmt::format("[{}]", fmt::join(quoted, ", "));
    parts.push_back(s.kind == Schema::Kind::kArray ? "\"items\": {\"enum\": " + list + "}"
                                                   : "\"enum\": " + list);
  }
  if (s.kind == Schema::Kind::kArray && s.items && s.choices.empty())
    parts.push_back("\"items\": " + ToJsonSchema(*s.items, indent + 2));
  if (s.kind == Schema::Kind::kMap && s.items)
    parts.push_back("\"additionalProperties\": " + ToJsonSchema(*s.items, indent + 2));
  if (s.kind == Schema::Kind::kObject) {
    std::vector<std::string> properties, required;
    for (const auto& [name, child] : s.properties) {
      properties.push_back(
          fmt::format("{}  {}: {}", pad, Quote(name), ToJsonSchema(*child, indent + 4)));
      if (child->required) required.push_back(Quote(name));
    }
    parts.push_back(fmt::format("\"properties\": {{\n{}\n{}}}", fmt::join(properties, ",\n"), pad));
    if (!required.empty())
      parts.push_back(fmt::format("\"required\": [{}]", fmt::join(required, ", ")));
    parts.emplace_back("\"additionalProperties\": false");
  }
  return fmt::format("{{\n{}{}\n{}}}", pad, fmt::join(parts, ",\n" + pad),
                     std::string(static_cast<std::size_t>(indent), ' '));
}

std::string ToMarkdown(const Schema& schema) {
  std::string out = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n";
  Rows(schema, "", out);
  return out;
}

void Visitor::DescribeDefault(Schema& s, bool v) {
  s.kind = Schema::Kind::kBool;
  s.default_text = v ? "true" : "false";
}

void Visitor::DescribeDefault(Schema& s, double v) {
  s.kind = Schema::Kind::kNumber;
  s.default_text = fmt::format("{}", v);
}

void Visitor::DescribeDefault(Schema& s, const std::string& v) {
  s.kind = Schema::Kind::kString;
  if (!v.empty()) s.default_text = Quote(v);
}

void Visitor::DescribeInteger(Schema& s, std::string text, double low) {
  s.kind = Schema::Kind::kInteger;
  s.default_text = std::move(text);
  if (low == 0) s.minimum = 0;
}

void Visitor::DescribeDuration(Schema& s, std::chrono::nanoseconds v) {
  s.kind = Schema::Kind::kDuration;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(v).count();
  s.default_text = Quote(ms % 1000 == 0 ? fmt::format("{}s", ms / 1000) : fmt::format("{}ms", ms));
}

void Visitor::DescribeStrings(Schema& s, const std::vector<std::string>& v) {
  if (v.empty()) return;
  std::vector<std::string> quoted;
  for (const auto& text : v) quoted.push_back(Quote(text));
  s.default_text = fmt::format("[{}]", fmt::join(quoted, ", "));
}

}  // namespace millrace::config
