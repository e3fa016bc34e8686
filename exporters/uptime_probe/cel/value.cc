#include "exporters/uptime_probe/cel/value.h"

#include <cmath>

#include <simdjson.h>

namespace millrace::uptime_probe::cel {

std::string_view Value::Type() const {
  static constexpr std::string_view kNames[] = {"null_type", "bool", "int", "uint", "double",
                                                "string",    "list", "map", "type"};
  return kNames[v.index()];
}

bool Value::IsNumber() const { return v.index() >= 2 && v.index() <= 4; }

const List* Value::AsList() const {
  const auto* p = std::get_if<std::shared_ptr<const List>>(&v);
  return p == nullptr ? nullptr : p->get();
}

const Map* Value::AsMap() const {
  const auto* p = std::get_if<std::shared_ptr<const Map>>(&v);
  return p == nullptr ? nullptr : p->get();
}

namespace {

template <class T>
int Order(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

/// Exact also where a double cannot hold the integer.
int CompareWithDouble(double d, bool negative, std::uint64_t magnitude) {
  if (std::isnan(d)) return 2;
  const double other = negative ? -static_cast<double>(magnitude) : static_cast<double>(magnitude);
  return Order(d, other);
}

int CompareNumbers(const Value& a, const Value& b) {
  const auto* ad = a.As<double>();
  const auto* bd = b.As<double>();
  if (ad != nullptr && bd != nullptr)
    return std::isnan(*ad) || std::isnan(*bd) ? 2 : Order(*ad, *bd);
  const auto split = [](const Value& v, bool& negative, std::uint64_t& magnitude) {
    if (const auto* i = v.As<std::int64_t>()) {
      negative = *i < 0;
      magnitude = negative ? ~static_cast<std::uint64_t>(*i) + 1 : static_cast<std::uint64_t>(*i);
    } else {
      negative = false;
      magnitude = *v.As<std::uint64_t>();
    }
  };
  bool an = false, bn = false;
  std::uint64_t am = 0, bm = 0;
  if (ad == nullptr) split(a, an, am);
  if (bd == nullptr) split(b, bn, bm);
  if (ad != nullptr) return CompareWithDouble(*ad, bn, bm);
  if (bd != nullptr) {
    const int r = CompareWithDouble(*bd, an, am);
    return r == 2 ? 2 : -r;
  }
  if (an != bn) return an ? -1 : 1;
  return an ? Order(bm, am) : Order(am, bm);
}

}  // namespace

bool Equal(const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber()) return CompareNumbers(a, b) == 0;
  if (a.v.index() != b.v.index()) return false;
  if (const List* x = a.AsList()) {
    const List* y = b.AsList();
    if (x->size() != y->size()) return false;
    for (std::size_t i = 0; i < x->size(); ++i)
      if (!Equal((*x)[i], (*y)[i])) return false;
    return true;
  }
  if (const Map* x = a.AsMap()) {
    const Map* y = b.AsMap();
    if (x->size() != y->size()) return false;
    for (const auto& [key, value] : *x) {
      const Value* other = Find(*y, key);
      if (other == nullptr || !Equal(value, *other)) return false;
    }
    return true;
  }
  return a.v == b.v;
}

Result<int> Compare(const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber()) return CompareNumbers(a, b);
  if (const auto *x = a.As<std::string>(), *y = b.As<std::string>(); x != nullptr && y != nullptr)
    return Order(*x, *y);
  if (const auto *x = a.As<bool>(), *y = b.As<bool>(); x != nullptr && y != nullptr)
    return Order(*x, *y);
  return Fail(
      ErrorCode::kInvalidArgument,
      "no such overload: comparison of " + std::string(a.Type()) + " and " + std::string(b.Type()));
}

const Value* Find(const Map& map, const Value& key) {
  for (const auto& [k, value] : map)
    if (Equal(k, key)) return &value;
  return nullptr;
}

namespace {

Result<Value> Convert(const simdjson::dom::element& e, int depth) {
  if (depth > 500) return Fail(ErrorCode::kParse, "JSON is nested too deeply");
  switch (e.type()) {
    case simdjson::dom::element_type::ARRAY: {
      auto list = std::make_shared<List>();
      for (const auto item : simdjson::dom::array(e)) {
        MILLRACE_ASSIGN(Value v, Convert(item, depth + 1));
        list->push_back(std::move(v));
      }
      return Value{std::shared_ptr<const List>(std::move(list))};
    }
    case simdjson::dom::element_type::OBJECT: {
      auto map = std::make_shared<Map>();
      for (const auto field : simdjson::dom::object(e)) {
        MILLRACE_ASSIGN(Value v, Convert(field.value, depth + 1));
        map->emplace_back(Value{std::string(field.key)}, std::move(v));
      }
      return Value{std::shared_ptr<const Map>(std::move(map))};
    }
    case simdjson::dom::element_type::STRING:
      return Value{std::string(std::string_view(e))};
    case simdjson::dom::element_type::BOOL:
      return Value{bool(e)};
    case simdjson::dom::element_type::NULL_VALUE:
      return Value{};
    default:
      return Value{double(e)};
  }
}

}  // namespace

Result<Value> FromJson(std::string_view text) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(text);
  simdjson::dom::element root;
  if (const auto error = parser.parse(padded).get(root); error != simdjson::SUCCESS)
    return Fail(ErrorCode::kParse, simdjson::error_message(error));
  return Convert(root, 0);
}

}  // namespace millrace::uptime_probe::cel
