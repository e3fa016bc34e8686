#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>

#include "agent/core/json_text.h"
#include "agent/route/program.h"
#include "common/base/strings.h"
#include "common/time/civil.h"

namespace millrace::agent::expr {
namespace {

using Args = std::span<const Value>;

Value Exists(Args a, Scratch&) { return Value::Bool(a[0].present); }

Value Length(Args a, Scratch& scratch) {
  const Value& v = a[0];
  if (v.is_string()) return Value::Int(static_cast<std::int64_t>(Plain(v, scratch).size()));
  if (v.is_object() || v.is_array())
    return Value::Int(static_cast<std::int64_t>(json::Count(v.text())));
  return Value::Null();
}

template <class F>
Value Mapped(const Value& v, Scratch& scratch, F change) {
  if (!v.is_string()) return Value::Null();
  const std::string_view s = Plain(v, scratch);
  char* const out = scratch.Allocate(s.size());
  std::transform(s.begin(), s.end(), out, change);
  return Value::Text({out, s.size()});
}

Value Lowercase(Args a, Scratch& scratch) {
  return Mapped(a[0], scratch,
                [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
}

Value Uppercase(Args a, Scratch& scratch) {
  return Mapped(a[0], scratch,
                [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
}

Value TrimText(Args a, Scratch& scratch) {
  return a[0].is_string() ? Value::Text(Trim(Plain(a[0], scratch))) : Value::Null();
}

template <class F>
Value TwoStrings(Args a, Scratch& scratch, F test) {
  if (!a[0].is_string() || !a[1].is_string()) return Value::Bool(false);
  return Value::Bool(test(Plain(a[0], scratch), Plain(a[1], scratch)));
}

Value Contains(Args a, Scratch& scratch) {
  return TwoStrings(a, scratch, [](std::string_view s, std::string_view part) {
    return s.find(part) != std::string_view::npos;
  });
}

Value StartsWith(Args a, Scratch& scratch) {
  return TwoStrings(a, scratch,
                    [](std::string_view s, std::string_view part) { return s.starts_with(part); });
}

Value EndsWith(Args a, Scratch& scratch) {
  return TwoStrings(a, scratch,
                    [](std::string_view s, std::string_view part) { return s.ends_with(part); });
}

Value ToInt(Args a, Scratch& scratch) {
  const Value& v = a[0];
  if (v.is_null()) return Value::Null();
  if (v.type == Type::kBool) return Value::Int(v.i64);
  if (v.type == Type::kTimestamp) return Value::Int(v.i64 / time::kNsPerSecond);
  Value n = v.Number();
  if (v.is_string()) {
    const std::string_view s = Trim(Plain(v, scratch));
    if (const auto i = ParseNumber<std::int64_t>(s)) return Value::Int(*i);
    if (const auto d = ParseNumber<double>(s)) n = Value::Double(*d);
  }
  if (!n.present || n.type == Type::kInt) return n.present ? n : Value::Null();
  if (!(std::fabs(n.f64) < 9.2e18)) return Value::Null();
  return Value::Int(static_cast<std::int64_t>(n.f64));
}

Value ToFloat(Args a, Scratch& scratch) {
  const Value& v = a[0];
  if (v.is_null()) return Value::Null();
  if (v.type == Type::kTimestamp) return Value::Double(static_cast<double>(v.i64) / 1e9);
  Value n = v.Number();
  if (v.is_string()) {
    const auto d = ParseNumber<double>(Trim(Plain(v, scratch)));
    if (!d || !std::isfinite(*d)) return Value::Null();
    n = Value::Double(*d);
  }
  if (!n.present) return Value::Null();
  const double d = n.type == Type::kInt ? static_cast<double>(n.i64) : n.f64;
  return std::isfinite(d) ? Value::Double(d) : Value::Null();
}

Value ToText(Args a, Scratch& scratch) {
  const Value& v = a[0];
  if (v.is_null() || v.is_string()) return v.present ? v : Value::Null();
  if (v.type == Type::kRawJson) return Value::Text(v.text());
  Buffer text;
  json::Append(text, v);
  std::string_view plain = text.view();
  if (v.type == Type::kTimestamp) plain = plain.substr(1, plain.size() - 2);
  char* const out = scratch.Allocate(plain.size());
  std::memcpy(out, plain.data(), plain.size());
  return Value::Text({out, plain.size()});
}

Value ToBool(Args a, Scratch& scratch) {
  const Value& v = a[0];
  if (v.present && v.type == Type::kBool) return v;
  if (const Value n = v.Number(); n.present)
    return Value::Bool(n.type == Type::kInt ? n.i64 != 0 : n.f64 != 0);
  if (!v.is_string()) return Value::Null();
  const std::string_view s = Plain(v, scratch);
  for (const std::string_view yes : {"true", "t", "yes", "y", "on", "1"})
    if (EqualsIgnoreCase(s, yes)) return Value::Bool(true);
  for (const std::string_view no : {"false", "f", "no", "n", "off", "0"})
    if (EqualsIgnoreCase(s, no)) return Value::Bool(false);
  return Value::Null();
}

Value IsString(Args a, Scratch&) { return Value::Bool(a[0].is_string()); }
Value IsNumber(Args a, Scratch&) { return Value::Bool(a[0].is_number()); }
Value IsBool(Args a, Scratch&) { return Value::Bool(a[0].present && a[0].type == Type::kBool); }
Value IsNull(Args a, Scratch&) { return Value::Bool(a[0].is_null()); }
Value IsObject(Args a, Scratch&) { return Value::Bool(a[0].is_object()); }
Value IsArray(Args a, Scratch&) { return Value::Bool(a[0].is_array()); }

template <double (*kRound)(double)>
Value Rounded(Args a, Scratch&) {
  const Value n = a[0].Number();
  if (!n.present || n.type == Type::kInt) return n.present ? n : Value::Null();
  const double d = kRound(n.f64);
  return std::fabs(d) < 9e18 ? Value::Int(static_cast<std::int64_t>(d)) : Value::Double(d);
}
double Floor(double d) { return std::floor(d); }
double Ceil(double d) { return std::ceil(d); }
double Round(double d) { return std::round(d); }

Value Slice(Args a, Scratch& scratch) {
  const Value start = a[1].Number();
  const Value stop = a.size() > 2 ? a[2].Number() : Value::Int(INT64_MAX);
  if (!a[0].is_string() || start.type != Type::kInt || stop.type != Type::kInt || !start.present ||
      !stop.present)
    return Value::Null();
  const std::string_view s = Plain(a[0], scratch);
  const auto size = static_cast<std::int64_t>(s.size());
  const auto place = [&](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? std::max(i, -size) + size : i, 0, size);
  };
  const std::int64_t from = place(start.i64), to = place(stop.i64);
  if (to <= from) return Value::Text("");
  return Value::Text(s.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from)));
}

Value Replace(Args a, Scratch& scratch) {
  if (!a[0].is_string() || !a[1].is_string() || !a[2].is_string()) return Value::Null();
  const std::string_view s = Plain(a[0], scratch), from = Plain(a[1], scratch),
                         to = Plain(a[2], scratch);
  if (from.empty()) return a[0];
  std::string text;
  std::size_t at = 0;
  for (std::size_t hit = s.find(from); hit != std::string_view::npos; hit = s.find(from, at)) {
    text += s.substr(at, hit - at);
    text += to;
    at = hit + from.size();
  }
  if (at == 0) return a[0];
  text += s.substr(at);
  char* const out = scratch.Allocate(text.size());
  std::memcpy(out, text.data(), text.size());
  return Value::Text({out, text.size()});
}

Value Coalesce(Args a, Scratch&) {
  for (const Value& v : a)
    if (!v.is_null()) return v;
  return Value::Null();
}

Value Now(Args, Scratch&) {
  return Value::Timestamp(std::chrono::duration_cast<std::chrono::nanoseconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count());
}

constexpr Kind kAny = Kind::kAny, kText = Kind::kString, kNumber = Kind::kNumber,
               kBool = Kind::kBool;

// clang-format off
constexpr Function kFunctions[] = {
  {"exists", "", 1, 1, {kAny}, kBool, &Exists, "The event has the field; its value may be null."},
  {"length", "len", 1, 1, {kAny}, kNumber, &Length, "Bytes of a string, elements of an array, members of an object."},
  {"contains", "", 2, 2, {kText, kText}, kBool, &Contains, "The second string stands in the first."},
  {"starts_with", "startsWith", 2, 2, {kText, kText}, kBool, &StartsWith, "The first string begins with the second."},
  {"ends_with", "endsWith", 2, 2, {kText, kText}, kBool, &EndsWith, "The first string ends with the second."},
  {"lowercase", "downcase", 1, 1, {kText}, kText, &Lowercase, "ASCII letters in lower case."},
  {"uppercase", "upcase", 1, 1, {kText}, kText, &Uppercase, "ASCII letters in upper case."},
  {"trim", "", 1, 1, {kText}, kText, &TrimText, "Without the blanks at both ends."},
  {"slice", "substring", 2, 3, {kText, kNumber, kNumber}, kText, &Slice, "Bytes from the second argument up to, not with, the third; negative numbers count from the end."},
  {"replace", "", 3, 3, {kText, kText, kText}, kText, &Replace, "Every occurrence of the second string becomes the third."},
  {"coalesce", "", 2, 3, {kAny, kAny, kAny}, kAny, &Coalesce, "The first argument that is there and not null."},
  {"to_int", "int", 1, 1, {kAny}, kNumber, &ToInt, "A number, the text of one, a boolean, or a timestamp as Unix seconds; the fraction is cut."},
  {"to_float", "float", 1, 1, {kAny}, kNumber, &ToFloat, "The same with its fraction."},
  {"to_string", "string", 1, 1, {kAny}, kText, &ToText, "Any value as text."},
  {"to_bool", "bool", 1, 1, {kAny}, kBool, &ToBool, "true, t, yes, y, on, 1 and their opposites in any case; a number other than 0."},
  {"floor", "", 1, 1, {kNumber}, kNumber, &Rounded<Floor>, "The whole number below."},
  {"ceil", "", 1, 1, {kNumber}, kNumber, &Rounded<Ceil>, "The whole number above."},
  {"round", "", 1, 1, {kNumber}, kNumber, &Rounded<Round>, "The nearest whole number."},
  {"is_string", "", 1, 1, {kAny}, kBool, &IsString, "The value is a string."},
  {"is_number", "", 1, 1, {kAny}, kBool, &IsNumber, "The value is a number."},
  {"is_bool", "", 1, 1, {kAny}, kBool, &IsBool, "The value is true or false."},
  {"is_null", "", 1, 1, {kAny}, kBool, &IsNull, "The field is absent or null."},
  {"is_object", "", 1, 1, {kAny}, kBool, &IsObject, "The value is an object."},
  {"is_array", "", 1, 1, {kAny}, kBool, &IsArray, "The value is an array."},
  {"now", "", 0, 0, {}, Kind::kTimestamp, &Now, "The time of the evaluation."},
};
// clang-format on

}  // namespace

std::span<const Function> Functions() { return kFunctions; }

}  // namespace millrace::agent::expr
