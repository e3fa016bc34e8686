#pragma once
// Values of CEL (Common Expression Language) expressions over a JSON body.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace millrace::uptime_probe::cel {

struct Value;
using List = std::vector<Value>;
/// In insertion order; a key that is set twice keeps the last value.
using Map = std::vector<std::pair<Value, Value>>;
struct TypeName {
  std::string_view name;
  bool operator==(const TypeName&) const = default;
};

/// Lists and maps are shared, never changed after they are made.
struct Value {
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string,
               std::shared_ptr<const List>, std::shared_ptr<const Map>, TypeName>
      v;

  [[nodiscard]] std::string_view Type() const;
  [[nodiscard]] bool IsNumber() const;
  template <class T>
  [[nodiscard]] const T* As() const {
    return std::get_if<T>(&v);
  }
  [[nodiscard]] const List* AsList() const;
  [[nodiscard]] const Map* AsMap() const;
};

/// Numbers of different types compare by value; other types never are equal.
[[nodiscard]] bool Equal(const Value& a, const Value& b);
/// -1, 0, 1; an error for values without an order. NaN gives 2.
[[nodiscard]] Result<int> Compare(const Value& a, const Value& b);
/// The value of a key, or null when the map has none.
[[nodiscard]] const Value* Find(const Map& map, const Value& key);

/// JSON as Go reads it into `any`: every number a double. kParse for bad JSON or more than 500
/// levels.
[[nodiscard]] Result<Value> FromJson(std::string_view text);

}  // namespace millrace::uptime_probe::cel
