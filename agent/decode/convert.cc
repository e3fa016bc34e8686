#include "agent/decode/convert.h"

#include <chrono>
#include <cmath>

#include "agent/core/json_text.h"
#include "agent/decode/json_scanner.h"
#include "common/base/buffer.h"
#include "common/base/strings.h"
#include "common/time/civil.h"

namespace millrace::agent {
namespace {

/// The text of a string, a number or a boolean; empty for others.
std::string_view AsText(const Value& v, char (&buffer)[64], Arena& arena) {
  if (v.is_string()) {
    if (v.type == Type::kString || !json::HasEscapes(v.text())) return v.text();
    char* const out = arena.Allocate(v.len);
    return {out, json::Unescape(v.text(), out)};
  }
  if (v.present && v.type == Type::kRawJson) return v.text();
  if (v.present && v.type == Type::kInt)
    return {buffer, static_cast<std::size_t>(
                        std::to_chars(buffer, buffer + sizeof buffer, v.i64).ptr - buffer)};
  if (v.present && v.type == Type::kDouble)
    return {buffer, static_cast<std::size_t>(
                        std::to_chars(buffer, buffer + sizeof buffer, v.f64).ptr - buffer)};
  if (v.present && v.type == Type::kBool) return v.i64 != 0 ? "true" : "false";
  return {};
}

Value ToInt(const Value& v, std::string_view text) {
  if (v.present && v.type == Type::kTimestamp) return Value::Int(v.i64 / time::kNsPerSecond);
  if (v.present && v.type == Type::kBool) return Value::Int(v.i64);
  text = Trim(text);
  if (text.starts_with("+")) text.remove_prefix(1);
  if (const auto i = ParseNumber<std::int64_t>(text)) return Value::Int(*i);
  const auto d = ParseNumber<double>(text);
  if (!d || !(std::fabs(*d) < 9.2e18)) return {};
  return Value::Int(static_cast<std::int64_t>(*d));
}

Value ToBool(const Value& v, std::string_view text) {
  if (v.present && v.type == Type::kBool) return v;
  if (v.is_number()) {
    const Value n = v.Number();
    return Value::Bool(n.type == Type::kInt ? n.i64 != 0 : n.f64 != 0);
  }
  for (const std::string_view yes : {"true", "t", "yes", "y", "on", "1"})
    if (EqualsIgnoreCase(text, yes)) return Value::Bool(true);
  for (const std::string_view no : {"false", "f", "no", "n", "off", "0"})
    if (EqualsIgnoreCase(text, no)) return Value::Bool(false);
  return {};
}

}  // namespace

std::int64_t NowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Result<Conversion> Conversion::Parse(std::string_view type,
                                     std::shared_ptr<const time::Zone> zone) {
  Conversion c;
  if (type == "string" || type == "asis" || type == "bytes") {
    c.kind_ = Kind::kString;
  } else if (type == "int" || type == "integer") {
    c.kind_ = Kind::kInt;
  } else if (type == "float" || type == "number") {
    c.kind_ = Kind::kFloat;
  } else if (type == "bool" || type == "boolean") {
    c.kind_ = Kind::kBool;
  } else if (type == "timestamp" || type.starts_with("timestamp|")) {
    c.kind_ = Kind::kTimestamp;
    const std::string_view format = type == "timestamp" ? "auto" : type.substr(10);
    MILLRACE_ASSIGN(auto parser, time::TimeParser::Make(format, std::move(zone)));
    c.formats_.push_back(std::move(parser));
  } else {
    static constexpr std::string_view kTypes[] = {"string", "int", "float", "bool", "timestamp"};
    return Fail(ErrorCode::kInvalidArgument,
                "unknown type \"" + std::string(type) +
                    "\": one of string, int, float, bool, timestamp, timestamp|<format>" +
                    DidYouMean(type, kTypes));
  }
  return c;
}

Value Conversion::Apply(const Value& value, Arena& arena) const {
  if (value.is_null()) return {};
  char buffer[64];
  if (kind_ == Kind::kString) {
    if (value.is_string()) return value;
    if (value.type == Type::kTimestamp) {
      Buffer out;
      json::Append(out, value);
      return Value::Text(arena.Copy(out.view().substr(1, out.size() - 2)));
    }
    const std::string_view text = AsText(value, buffer, arena);
    return Value::Text(text.data() == buffer ? arena.Copy(text) : text);
  }
  if (kind_ == Kind::kTimestamp && value.type == Type::kTimestamp) return value;
  const std::string_view text = AsText(value, buffer, arena);
  switch (kind_) {
    case Kind::kInt:
      return ToInt(value, text);
    case Kind::kFloat: {
      if (value.type == Type::kTimestamp)
        return Value::Double(static_cast<double>(value.i64) / 1e9);
      std::string_view digits = Trim(text);
      if (digits.starts_with("+")) digits.remove_prefix(1);
      const auto d = ParseNumber<double>(digits);
      return d && std::isfinite(*d) ? Value::Double(*d) : Value();
    }
    case Kind::kBool:
      return ToBool(value, text);
    case Kind::kTimestamp:
      for (const time::TimeParser& format : formats_)
        if (const auto ns = format.Parse(text, NowNanos())) return Value::Timestamp(*ns);
      return {};
    case Kind::kString:
      break;
  }
  return {};
}

Value Inferred(std::string_view text) {
  if (text == "true" || text == "false") return Value::Bool(text == "true");
  if (!text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'))) {
    json::Scanner scan(text.data() + text.size(), 0);
    json::Scanner::Token token;
    const char* const end = scan.Value(text.data(), token);
    if (end != nullptr && scan.AtEnd(end)) return Value::Text(text, Type::kRawJson);
  }
  return Value::Text(text);
}

}  // namespace millrace::agent
