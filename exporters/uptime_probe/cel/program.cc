#include "exporters/uptime_probe/cel/program.h"

#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/cel/node.h"

namespace millrace::uptime_probe::cel {
namespace {

constexpr std::uint64_t kMaxSteps = 10'000'000;
constexpr std::size_t kMaxString = std::size_t{16} << 20;

tl::unexpected<Error> NoOverload(std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("no such overload: {}", what));
}

class Evaluator {
 public:
  Evaluator(const Value& body, Deadline deadline) : body_(body), deadline_(deadline) {}

  Result<Value> Run(const Node& n) {
    if (++steps_ > kMaxSteps)
      return Fail(ErrorCode::kResourceExhausted, "expression takes too long");
    if ((steps_ & 1023) == 0 && Clock::now() >= deadline_)
      return Fail(ErrorCode::kTimeout, "deadline exceeded in the expression");
    switch (n.op) {
      case Op::kLiteral:
        return n.literal;
      case Op::kVariable:
        return Variable(n.name);
      case Op::kSelect:
      case Op::kHas:
        return Select(n);
      case Op::kIndex:
        return Index(n);
      case Op::kList:
        return MakeList(n);
      case Op::kMap:
        return MakeMap(n);
      case Op::kConditional: {
        MILLRACE_ASSIGN(const bool condition, Truth(*n.children[0]));
        return Run(*n.children[condition ? 1 : 2]);
      }
      case Op::kOr:
        return Logic(n, true);
      case Op::kAnd:
        return Logic(n, false);
      case Op::kNot: {
        MILLRACE_ASSIGN(const bool inner, Truth(*n.children[0]));
        return Value{!inner};
      }
      case Op::kNegate:
        return Negate(n);
      case Op::kEqual:
      case Op::kNotEqual: {
        MILLRACE_ASSIGN(const Value a, Run(*n.children[0]));
        MILLRACE_ASSIGN(const Value b, Run(*n.children[1]));
        return Value{Equal(a, b) == (n.op == Op::kEqual)};
      }
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
        return Relation(n);
      case Op::kIn:
        return In(n);
      case Op::kAdd:
      case Op::kSubtract:
      case Op::kMultiply:
      case Op::kDivide:
      case Op::kModulo:
        return Arithmetic(n);
      case Op::kCall:
        return Call(n);
      case Op::kComprehension:
        return Comprehension(n);
    }
    return NoOverload("expression");
  }

 private:
  Result<Value> Variable(const std::string& name) {
    for (auto it = scope_.rbegin(); it != scope_.rend(); ++it)
      if (*it->first == name) return *it->second;
    return body_;
  }

  Result<bool> Truth(const Node& n) {
    MILLRACE_ASSIGN(const Value v, Run(n));
    const bool* b = v.As<bool>();
    if (b == nullptr) return NoOverload("a condition must be a boolean");
    return *b;
  }

  Result<Value> Select(const Node& n) {
    MILLRACE_ASSIGN(const Value from, Run(*n.children[0]));
    const Map* map = from.AsMap();
    if (map == nullptr) return NoOverload(fmt::format("no fields in {}", from.Type()));
    const Value* found = Find(*map, Value{n.name});
    if (n.op == Op::kHas) return Value{found != nullptr};
    if (found == nullptr) return Fail(ErrorCode::kNotFound, "no such key: " + n.name);
    return *found;
  }

  Result<Value> Index(const Node& n) {
    MILLRACE_ASSIGN(const Value from, Run(*n.children[0]));
    MILLRACE_ASSIGN(const Value key, Run(*n.children[1]));
    if (const Map* map = from.AsMap()) {
      const Value* found = Find(*map, key);
      if (found == nullptr) return Fail(ErrorCode::kNotFound, "no such key");
      return *found;
    }
    const List* list = from.AsList();
    if (list == nullptr || !key.IsNumber()) return NoOverload("index");
    std::optional<std::size_t> at;
    for (const auto* i = key.As<std::int64_t>(); i != nullptr && *i >= 0;) {
      at = static_cast<std::size_t>(*i);
      break;
    }
    if (const auto* u = key.As<std::uint64_t>()) at = *u;
    if (const auto* d = key.As<double>();
        d != nullptr && *d >= 0 && *d < 1e15 && std::floor(*d) == *d)
      at = static_cast<std::size_t>(*d);
    if (!at || *at >= list->size()) return Fail(ErrorCode::kNotFound, "index out of bounds");
    return (*list)[*at];
  }

  Result<Value> MakeList(const Node& n) {
    auto list = std::make_shared<List>();
    for (const auto& child : n.children) {
      MILLRACE_ASSIGN(Value v, Run(*child));
      list->push_back(std::move(v));
    }
    return Value{std::shared_ptr<const List>(std::move(list))};
  }

  Result<Value> MakeMap(const Node& n) {
    auto map = std::make_shared<Map>();
    for (std::size_t i = 0; i < n.children.size(); i += 2) {
      MILLRACE_ASSIGN(Value key, Run(*n.children[i]));
      MILLRACE_ASSIGN(Value value, Run(*n.children[i + 1]));
      if (Find(*map, key) != nullptr)
        return Fail(ErrorCode::kInvalidArgument, "repeated key in a map");
      map->emplace_back(std::move(key), std::move(value));
    }
    return Value{std::shared_ptr<const Map>(std::move(map))};
  }

  /// An error on one side does not matter when the other side decides.
  Result<Value> Logic(const Node& n, bool decisive) {
    auto left = Truth(*n.children[0]);
    if (left && *left == decisive) return Value{decisive};
    auto right = Truth(*n.children[1]);
    if (right && *right == decisive) return Value{decisive};
    if (!left) return tl::make_unexpected(std::move(left).error());
    if (!right) return tl::make_unexpected(std::move(right).error());
    return Value{!decisive};
  }

  Result<Value> Negate(const Node& n) {
    MILLRACE_ASSIGN(const Value v, Run(*n.children[0]));
    if (const auto* d = v.As<double>()) return Value{-*d};
    const auto* i = v.As<std::int64_t>();
    if (i == nullptr || *i == std::numeric_limits<std::int64_t>::min()) return NoOverload("-");
    return Value{-*i};
  }

  Result<Value> Relation(const Node& n) {
    MILLRACE_ASSIGN(const Value a, Run(*n.children[0]));
    MILLRACE_ASSIGN(const Value b, Run(*n.children[1]));
    MILLRACE_ASSIGN(const int order, Compare(a, b));
    if (order == 2) return Value{false};
    switch (n.op) {
      case Op::kLess:
        return Value{order < 0};
      case Op::kLessEqual:
        return Value{order <= 0};
      case Op::kGreater:
        return Value{order > 0};
      default:
        return Value{order >= 0};
    }
  }

  Result<Value> In(const Node& n) {
    MILLRACE_ASSIGN(const Value item, Run(*n.children[0]));
    MILLRACE_ASSIGN(const Value where, Run(*n.children[1]));
    if (const Map* map = where.AsMap()) return Value{Find(*map, item) != nullptr};
    const List* list = where.AsList();
    if (list == nullptr) return NoOverload("in");
    for (const Value& v : *list)
      if (Equal(v, item)) return Value{true};
    return Value{false};
  }

  template <class T>
  static Result<Value> Integers(Op op, T a, T b) {
    T out{};
    bool overflow = false;
    switch (op) {
      case Op::kAdd:
        overflow = __builtin_add_overflow(a, b, &out);
        break;
      case Op::kSubtract:
        overflow = __builtin_sub_overflow(a, b, &out);
        break;
      case Op::kMultiply:
        overflow = __builtin_mul_overflow(a, b, &out);
        break;
      default:
        if (b == 0) return Fail(ErrorCode::kInvalidArgument, "division by zero");
        if constexpr (std::is_signed_v<T>) overflow = a == std::numeric_limits<T>::min() && b == -1;
        if (!overflow) out = op == Op::kDivide ? a / b : a % b;
    }
    if (overflow) return Fail(ErrorCode::kInvalidArgument, "integer overflow");
    return Value{out};
  }

  Result<Value> Arithmetic(const Node& n) {
    MILLRACE_ASSIGN(const Value a, Run(*n.children[0]));
    MILLRACE_ASSIGN(const Value b, Run(*n.children[1]));
    if (const auto *x = a.As<std::int64_t>(), *y = b.As<std::int64_t>();
        x != nullptr && y != nullptr)
      return Integers(n.op, *x, *y);
    if (const auto *x = a.As<std::uint64_t>(), *y = b.As<std::uint64_t>();
        x != nullptr && y != nullptr)
      return Integers(n.op, *x, *y);
    if (const auto *x = a.As<double>(), *y = b.As<double>();
        x != nullptr && y != nullptr && n.op != Op::kModulo) {
      return Value{n.op == Op::kAdd        ? *x + *y
                   : n.op == Op::kSubtract ? *x - *y
                   : n.op == Op::kMultiply ? *x * *y
                                           : *x / *y};
    }
    if (n.op == Op::kAdd) {
      if (const auto *x = a.As<std::string>(), *y = b.As<std::string>();
          x != nullptr && y != nullptr) {
        if (x->size() + y->size() > kMaxString)
          return Fail(ErrorCode::kResourceExhausted, "string too long");
        return Value{*x + *y};
      }
      if (const List *x = a.AsList(), *y = b.AsList(); x != nullptr && y != nullptr) {
        steps_ += x->size() + y->size();
        auto joined = std::make_shared<List>(*x);
        joined->insert(joined->end(), y->begin(), y->end());
        return Value{std::shared_ptr<const List>(std::move(joined))};
      }
    }
    return NoOverload(fmt::format("arithmetic on {} and {}", a.Type(), b.Type()));
  }

  static Result<Value> Size(const Value& v) {
    if (const auto* s = v.As<std::string>()) {
      std::int64_t points = 0;
      for (const char c : *s) points += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
      return Value{points};
    }
    if (const List* list = v.AsList()) return Value{static_cast<std::int64_t>(list->size())};
    if (const Map* map = v.AsMap()) return Value{static_cast<std::int64_t>(map->size())};
    return NoOverload("size");
  }

  static Result<Value> ToInteger(const Value& v, bool is_unsigned) {
    const auto fits = [is_unsigned](double d) {
      return is_unsigned ? d >= 0 && d < 18446744073709551616.0
                         : d > -9223372036854775808.0 && d < 9223372036854775808.0;
    };
    if (const auto* d = v.As<double>()) {
      if (!fits(*d)) return Fail(ErrorCode::kInvalidArgument, "number out of range");
      return is_unsigned ? Value{static_cast<std::uint64_t>(*d)}
                         : Value{static_cast<std::int64_t>(*d)};
    }
    if (const auto* i = v.As<std::int64_t>()) {
      if (!is_unsigned) return v;
      if (*i < 0) return Fail(ErrorCode::kInvalidArgument, "number out of range");
      return Value{static_cast<std::uint64_t>(*i)};
    }
    if (const auto* u = v.As<std::uint64_t>()) {
      if (is_unsigned) return v;
      if (*u > static_cast<std::uint64_t>(INT64_MAX))
        return Fail(ErrorCode::kInvalidArgument, "number out of range");
      return Value{static_cast<std::int64_t>(*u)};
    }
    if (const auto* s = v.As<std::string>()) {
      if (is_unsigned) {
        if (const auto u = ParseNumber<std::uint64_t>(*s)) return Value{*u};
      } else if (const auto i = ParseNumber<std::int64_t>(*s)) {
        return Value{*i};
      }
      return Fail(ErrorCode::kInvalidArgument, "not a number");
    }
    return NoOverload("integer conversion");
  }

  static Result<Value> ToText(const Value& v) {
    if (v.As<std::string>() != nullptr) return v;
    if (const auto* b = v.As<bool>()) return Value{std::string(*b ? "true" : "false")};
    if (const auto* i = v.As<std::int64_t>()) return Value{std::to_string(*i)};
    if (const auto* u = v.As<std::uint64_t>()) return Value{std::to_string(*u)};
    if (const auto* d = v.As<double>()) {
      char text[40];
      const auto r = std::to_chars(text, text + sizeof text, *d);
      return Value{std::string(text, r.ptr)};
    }
    return NoOverload("string conversion");
  }

  Result<Value> Call(const Node& n) {
    MILLRACE_ASSIGN(const Value a, Run(*n.children[0]));
    if (n.name == "size") return Size(a);
    if (n.name == "dyn") return a;
    if (n.name == "type") return Value{TypeName{a.Type()}};
    if (n.name == "int") return ToInteger(a, false);
    if (n.name == "uint") return ToInteger(a, true);
    if (n.name == "string") return ToText(a);
    if (n.name == "double") {
      if (a.As<double>() != nullptr) return a;
      if (const auto* i = a.As<std::int64_t>()) return Value{static_cast<double>(*i)};
      if (const auto* u = a.As<std::uint64_t>()) return Value{static_cast<double>(*u)};
      if (const auto* s = a.As<std::string>())
        if (const auto d = ParseNumber<double>(*s)) return Value{*d};
      return NoOverload("double conversion");
    }
    if (n.name == "bool") {
      if (a.As<bool>() != nullptr) return a;
      const auto* s = a.As<std::string>();
      if (s != nullptr && (*s == "true" || *s == "false")) return Value{*s == "true"};
      return NoOverload("bool conversion");
    }
    MILLRACE_ASSIGN(const Value b, Run(*n.children[1]));
    const auto* text = a.As<std::string>();
    const auto* part = b.As<std::string>();
    if (text == nullptr || part == nullptr) return NoOverload(n.name);
    if (n.name == "contains") return Value{text->find(*part) != std::string::npos};
    if (n.name == "startsWith") return Value{text->starts_with(*part)};
    if (n.name == "endsWith") return Value{text->ends_with(*part)};
    if (n.regexp) return Value{n.regexp->Matches(*text)};
    MILLRACE_ASSIGN(const Regexp regexp, Regexp::Compile(*part));
    return Value{regexp.Matches(*text)};
  }

  Result<Value> Comprehension(const Node& n) {
    MILLRACE_ASSIGN(const Value over, Run(*n.children[0]));
    List items;
    if (const List* list = over.AsList()) {
      items = *list;
    } else if (const Map* map = over.AsMap()) {
      for (const auto& [key, value] : *map) items.push_back(key);
    } else {
      return NoOverload(n.name);
    }
    auto out = std::make_shared<List>();
    std::int64_t hits = 0;
    std::optional<Error> failed;
    for (const Value& item : items) {
      scope_.emplace_back(&n.variable, &item);
      auto condition = Result<bool>(true);
      if (n.name != "map" || n.children.size() == 3) condition = Truth(*n.children[1]);
      auto mapped = Result<Value>(item);
      if (n.name == "map" && condition && *condition) mapped = Run(*n.children.back());
      scope_.pop_back();
      if (!condition || !mapped) {
        Error error = !condition ? std::move(condition).error() : std::move(mapped).error();
        // all() and exists() are folds of && and ||: a later item may still decide.
        const bool limit =
            error.code == ErrorCode::kTimeout || error.code == ErrorCode::kResourceExhausted;
        if (limit || (n.name != "all" && n.name != "exists"))
          return tl::make_unexpected(std::move(error));
        failed = std::move(error);
        continue;
      }
      if (n.name == "all" && !*condition) return Value{false};
      if (n.name == "exists" && *condition) return Value{true};
      if (!*condition) continue;
      ++hits;
      if (n.name == "map" || n.name == "filter") out->push_back(std::move(*mapped));
    }
    if (failed) return tl::make_unexpected(std::move(*failed));
    if (n.name == "all") return Value{true};
    if (n.name == "exists") return Value{false};
    if (n.name == "exists_one") return Value{hits == 1};
    return Value{std::shared_ptr<const List>(std::move(out))};
  }

  const Value& body_;
  Deadline deadline_;
  std::uint64_t steps_ = 0;
  std::vector<std::pair<const std::string*, const Value*>> scope_;
};

}  // namespace

Program::Program(std::unique_ptr<Node> root) : root_(std::move(root)) {}
Program::~Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;

Result<Program> Program::Compile(std::string_view text) {
  MILLRACE_ASSIGN(std::unique_ptr<Node> root, Parse(text));
  return Program(std::move(root));
}

Result<Value> Program::Evaluate(const Value& body, Deadline deadline) const {
  return Evaluator(body, deadline).Run(*root_);
}

}  // namespace millrace::uptime_probe::cel
