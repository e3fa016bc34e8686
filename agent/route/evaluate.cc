#include <cmath>
#include <cstring>

#include "agent/core/json_text.h"
#include "agent/route/program.h"
#include "common/time/rfc3339.h"

namespace millrace::agent::expr {
namespace {

/// Goes down the tree; its depth is limited by the parser.
class Evaluator {
 public:
  Evaluator(const Program& program, const EventBatch& batch, const Event& e, Scratch& scratch)
      : nodes_(program.nodes.data()), batch_(batch), event_(e), scratch_(scratch) {}

  Value Run(std::uint32_t at) const;
  bool Test(std::uint32_t at) const;

 private:
  Value Arithmetic(const Node& n) const;

  const Node* nodes_;
  const EventBatch& batch_;
  const Event& event_;
  Scratch& scratch_;
};

bool InList(const Value& v, const std::vector<Value>& list, Scratch& scratch) {
  for (const Value& item : list)
    if (Equal(v, item, scratch)) return true;
  return false;
}

bool InArray(const Value& v, const Value& array, Scratch& scratch) {
  if (!array.is_array()) return false;
  for (json::Cursor c(array.text()); c.Next();)
    if (Equal(v, json::FromText(c.value()), scratch)) return true;
  return false;
}

bool Evaluator::Test(std::uint32_t at) const {
  const Node& n = nodes_[at];
  switch (n.op) {
    case Op::kAnd:
      return Test(n.a) && Test(n.b);
    case Op::kOr:
      return Test(n.a) || Test(n.b);
    case Op::kNot:
      return !Test(n.a);
    case Op::kEqual:
      return Equal(Run(n.a), Run(n.b), scratch_);
    case Op::kNotEqual:
      return !Equal(Run(n.a), Run(n.b), scratch_);
    case Op::kLess:
      return Compare(Run(n.a), Run(n.b), scratch_) == -1;
    case Op::kLessEqual: {
      const int order = Compare(Run(n.a), Run(n.b), scratch_);
      return order == -1 || order == 0;
    }
    case Op::kGreater:
      return Compare(Run(n.a), Run(n.b), scratch_) == 1;
    case Op::kGreaterEqual: {
      const int order = Compare(Run(n.a), Run(n.b), scratch_);
      return order == 1 || order == 0;
    }
    case Op::kInList:
      return InList(Run(n.a), n.list, scratch_);
    case Op::kInArray:
      return InArray(Run(n.a), Run(n.b), scratch_);
    case Op::kMatch: {
      const Value v = Run(n.a);
      if (!v.is_string()) return false;
      const std::string_view text = Plain(v, scratch_);
      return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *n.pattern);
    }
    default: {
      const Value v = Run(at);
      return v.present && v.type == Type::kBool && v.i64 != 0;
    }
  }
}

Value Evaluator::Arithmetic(const Node& n) const {
  const Value left = Run(n.a), right = Run(n.b);
  if (n.op == Op::kAdd && left.is_string() && right.is_string()) {
    const std::string_view x = Plain(left, scratch_), y = Plain(right, scratch_);
    char* const out = scratch_.Allocate(x.size() + y.size());
    std::memcpy(out, x.data(), x.size());
    std::memcpy(out + x.size(), y.data(), y.size());
    return Value::Text({out, x.size() + y.size()});
  }
  const Value x = left.Number(), y = right.Number();
  if (!x.present || !y.present) return Value::Null();
  if (x.type == Type::kInt && y.type == Type::kInt) {
    std::int64_t r = 0;
    bool overflow = false;
    switch (n.op) {
      case Op::kAdd:
        overflow = __builtin_add_overflow(x.i64, y.i64, &r);
        break;
      case Op::kSubtract:
        overflow = __builtin_sub_overflow(x.i64, y.i64, &r);
        break;
      case Op::kMultiply:
        overflow = __builtin_mul_overflow(x.i64, y.i64, &r);
        break;
      case Op::kModulo:
        if (y.i64 == 0) return Value::Null();
        r = y.i64 == -1 ? 0 : x.i64 % y.i64;
        break;
      default:
        // 7 / 2 is 3.5: a ratio of two counters is what people mean.
        if (y.i64 == 0) return Value::Null();
        if (y.i64 == -1 || x.i64 % y.i64 != 0) {
          overflow = true;
        } else {
          r = x.i64 / y.i64;
        }
    }
    if (!overflow) return Value::Int(r);
  }
  const double a = x.type == Type::kInt ? static_cast<double>(x.i64) : x.f64;
  const double b = y.type == Type::kInt ? static_cast<double>(y.i64) : y.f64;
  double r = 0;
  switch (n.op) {
    case Op::kAdd:
      r = a + b;
      break;
    case Op::kSubtract:
      r = a - b;
      break;
    case Op::kMultiply:
      r = a * b;
      break;
    case Op::kModulo:
      r = std::fmod(a, b);
      break;
    default:
      r = a / b;
  }
  return std::isfinite(r) ? Value::Double(r) : Value::Null();
}

Value Evaluator::Run(std::uint32_t at) const {
  const Node& n = nodes_[at];
  switch (n.op) {
    case Op::kLiteral:
      return n.literal;
    case Op::kPath:
      return n.path.Get(batch_, event_);
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
      return Arithmetic(n);
    case Op::kNegate: {
      const Value v = Run(n.a).Number();
      if (!v.present) return Value::Null();
      if (v.type == Type::kInt && v.i64 != INT64_MIN) return Value::Int(-v.i64);
      return Value::Double(v.type == Type::kInt ? -static_cast<double>(v.i64) : -v.f64);
    }
    case Op::kCall: {
      Value args[3];
      for (std::size_t i = 0; i < n.arg_count; ++i) args[i] = Run(n.args[i]);
      return n.function->call({args, n.arg_count}, scratch_);
    }
    default:
      return Value::Bool(Test(at));
  }
}

Scratch& ThreadScratch() {
  thread_local Scratch scratch;
  scratch.Reset();
  return scratch;
}

int Order(bool less, bool greater) { return less ? -1 : greater ? 1 : 0; }

}  // namespace

char* Scratch::Allocate(std::size_t n) {
  if (first_ == nullptr) first_ = std::make_unique<char[]>(kChunk);
  if (n > kChunk - used_) {
    large_.push_back(std::make_unique<char[]>(n));
    return large_.back().get();
  }
  char* const p = first_.get() + used_;
  used_ += n;
  return p;
}

void Scratch::Reset() {
  used_ = 0;
  large_.clear();
}

std::string_view Plain(const Value& v, Scratch& scratch) {
  if (v.type != Type::kJsonString || !json::HasEscapes(v.text())) return v.text();
  char* const out = scratch.Allocate(v.len);
  return {out, json::Unescape(v.text(), out)};
}

int Compare(const Value& a, const Value& b, Scratch& scratch) {
  if (a.is_number() && b.is_number()) {
    const Value x = a.Number(), y = b.Number();
    if (x.type == Type::kInt && y.type == Type::kInt) return Order(x.i64<y.i64, x.i64> y.i64);
    const double p = x.type == Type::kInt ? static_cast<double>(x.i64) : x.f64;
    const double q = y.type == Type::kInt ? static_cast<double>(y.i64) : y.f64;
    return Order(p<q, p> q);
  }
  if (a.is_string() && b.is_string()) {
    const int order = Plain(a, scratch).compare(Plain(b, scratch));
    return Order(order < 0, order > 0);
  }
  const auto time = [&](const Value& v, std::int64_t& ns) {
    ns = v.i64;
    if (v.present && v.type == Type::kTimestamp) return true;
    if (!v.is_string()) return false;
    const auto parsed = time::ParseRfc3339(Plain(v, scratch));
    ns = parsed.value_or(0);
    return parsed.has_value();
  };
  const bool one =
      (a.present && a.type == Type::kTimestamp) || (b.present && b.type == Type::kTimestamp);
  std::int64_t x = 0, y = 0;
  if (one && time(a, x) && time(b, y)) return Order(x<y, x> y);
  return 2;
}

bool Equal(const Value& a, const Value& b, Scratch& scratch) {
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
  if (a.is_string() && b.is_string()) {
    if (a.type == Type::kString && b.type == Type::kString) return a.text() == b.text();
    if (a.type == Type::kJsonString && b.type == Type::kString)
      return json::EqualsEscaped(a.text(), b.text());
    if (b.type == Type::kJsonString && a.type == Type::kString)
      return json::EqualsEscaped(b.text(), a.text());
    return a.text() == b.text() || Plain(a, scratch) == Plain(b, scratch);
  }
  if (a.type == Type::kBool || b.type == Type::kBool) return a.type == b.type && a.i64 == b.i64;
  if ((a.is_object() && b.is_object()) || (a.is_array() && b.is_array()))
    return a.text() == b.text();
  return Compare(a, b, scratch) == 0;
}

Value Program::Evaluate(const EventBatch& batch, const Event& e) const {
  return Evaluator(*this, batch, e, ThreadScratch())
      .Run(static_cast<std::uint32_t>(nodes.size()) - 1);
}

bool Program::Matches(const EventBatch& batch, const Event& e) const {
  return Evaluator(*this, batch, e, ThreadScratch())
      .Test(static_cast<std::uint32_t>(nodes.size()) - 1);
}

}  // namespace millrace::agent::expr
