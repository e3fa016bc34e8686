#pragma once
// A value without a name: what a path leads to and an expression yields.
#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/core/event.h"

namespace millrace::agent {

/// Views point where the field's did; see Field for the types. Absent is not null: a field may hold
/// null.
struct Value {
  bool present = false;
  Type type = Type::kNull;
  std::uint32_t len = 0;
  union {
    const char* str;
    std::int64_t i64 = 0;
    double f64;
  };

  [[nodiscard]] static Value Null() {
    Value v;
    v.present = true;
    return v;
  }
  [[nodiscard]] static Value Bool(bool b) { return Integer(Type::kBool, b ? 1 : 0); }
  [[nodiscard]] static Value Int(std::int64_t i) { return Integer(Type::kInt, i); }
  [[nodiscard]] static Value Timestamp(std::int64_t ns) { return Integer(Type::kTimestamp, ns); }
  [[nodiscard]] static Value Double(double d) {
    Value v = Null();
    v.type = Type::kDouble;
    v.f64 = d;
    return v;
  }
  [[nodiscard]] static Value Text(std::string_view s, Type type = Type::kString) {
    Value v = Null();
    v.type = type;
    v.str = s.data();
    v.len = static_cast<std::uint32_t>(s.size());
    return v;
  }
  [[nodiscard]] static Value Of(const Field& f) {
    if (f.is_text()) return Text(f.text(), f.type);
    if (f.type == Type::kDouble) return Double(f.f64);
    return Integer(f.type, f.i64);
  }
  [[nodiscard]] Field Named(std::string_view name) const {
    if (is_text()) return Field::String(name, text(), type);
    if (type == Type::kDouble) return Field::Double(name, f64);
    Field f = Field::Int(name, i64);
    f.type = type;
    return f;
  }

  [[nodiscard]] bool is_text() const { return type >= Type::kString && type <= Type::kRawJson; }
  [[nodiscard]] std::string_view text() const { return {str, len}; }
  [[nodiscard]] bool is_null() const { return !present || type == Type::kNull; }
  [[nodiscard]] bool is_string() const {
    return present && (type == Type::kString || type == Type::kJsonString);
  }
  [[nodiscard]] bool is_object() const { return IsRaw('{'); }
  [[nodiscard]] bool is_array() const { return IsRaw('['); }
  /// kInt, kDouble, or a number still in its JSON text.
  [[nodiscard]] bool is_number() const {
    return present && (type == Type::kInt || type == Type::kDouble ||
                       (type == Type::kRawJson && len > 0 && *str != '{' && *str != '['));
  }
  /// A number as kInt or kDouble; JSON text beyond both becomes the nearest double. Else absent.
  [[nodiscard]] Value Number() const;

 private:
  static Value Integer(Type type, std::int64_t i) {
    Value v = Null();
    v.type = type;
    v.i64 = i;
    return v;
  }
  [[nodiscard]] bool IsRaw(char c) const {
    return present && type == Type::kRawJson && len > 0 && *str == c;
  }
};

}  // namespace millrace::agent
