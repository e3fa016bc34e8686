// Text -> Program: recursive descent, types checked on the way.
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "agent/route/program.h"
#include "common/base/strings.h"

namespace millrace::agent::expr {
namespace {

using Fault = Expression::Fault;

std::string_view Name(Kind kind) {
  switch (kind) {
    case Kind::kAny:
      return "any value";
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "a boolean";
    case Kind::kNumber:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kTimestamp:
      return "a timestamp";
  }
  return "";
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool Fits(Kind given, Kind wanted) {
  return given == wanted || given == Kind::kAny || wanted == Kind::kAny;
}

/// Every method returns the index of a node, or throws nothing and sets fault_: callers look at
/// failed() where going on would do harm.
class Parser {
 public:
  explicit Parser(std::string_view text)
      : text_(text), rest_(text), program_(std::make_shared<Program>()) {}

  tl::expected<std::shared_ptr<const Program>, Fault> Run() {
    if (text_.size() > kMaxText) {
      Complain(0, "longer than 64 KiB");
    } else {
      Or(0);
      SkipBlanks();
      if (!failed_ && !rest_.empty()) {
        if (rest_[0] == '=')
          Complain(Offset(), "\"=\" is no operator; did you mean \"==\"?");
        else if (rest_[0] == '&' || rest_[0] == '|')
          Complain(Offset(), fmt::format("write \"{0}{0}\"", rest_[0]));
        else
          Complain(Offset(), fmt::format("unexpected {}", Here()));
      }
    }
    if (failed_) return tl::make_unexpected(fault_);
    return program_;
  }

 private:
  static constexpr std::size_t kMaxText = 64 * 1024;
  static constexpr int kMaxDepth = 64;

  [[nodiscard]] std::size_t Offset() const { return text_.size() - rest_.size(); }
  std::string Here() const {
    if (rest_.empty()) return "end";
    std::size_t n = 1;
    if (IsLetter(rest_[0]) || IsDigit(rest_[0]))
      while (n < rest_.size() && (IsLetter(rest_[n]) || IsDigit(rest_[n]))) ++n;
    return fmt::format("\"{}\"", Printable(rest_.substr(0, n), 40));
  }
  std::uint32_t Complain(std::size_t offset, std::string what) {
    if (!failed_) fault_ = {offset, std::move(what)};
    failed_ = true;
    return 0;
  }
  void SkipBlanks() {
    while (!rest_.empty() &&
           (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n' || rest_[0] == '\r'))
      rest_.remove_prefix(1);
  }
  bool Take(std::string_view token) {
    SkipBlanks();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool TakeWord(std::string_view word) {
    SkipBlanks();
    if (!rest_.starts_with(word)) return false;
    if (rest_.size() > word.size() && (IsLetter(rest_[word.size()]) || IsDigit(rest_[word.size()])))
      return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::uint32_t Push(Node node) {
    program_->nodes.push_back(std::move(node));
    return static_cast<std::uint32_t>(program_->nodes.size()) - 1;
  }
  std::uint32_t Binary(Op op, Kind kind, std::uint32_t a, std::uint32_t b) {
    Node n;
    n.op = op;
    n.kind = kind;
    n.a = a;
    n.b = b;
    return Push(std::move(n));
  }
  [[nodiscard]] Kind KindOf(std::uint32_t node) const { return program_->nodes[node].kind; }
  void Want(std::uint32_t node, Kind kind, std::size_t offset, std::string_view who) {
    if (failed_ || Fits(KindOf(node), kind)) return;
    Complain(offset, fmt::format("{} wants {}, this is {}", who, Name(kind), Name(KindOf(node))));
  }

  std::uint32_t Or(int depth) {
    if (depth > kMaxDepth) return Complain(Offset(), "nested more than 64 deep");
    std::size_t at = Start();
    std::uint32_t left = And(depth);
    while (!failed_ && Take("||")) {
      const std::size_t right_at = Start();
      const std::uint32_t right = And(depth);
      if (failed_) break;
      Want(left, Kind::kBool, at, "\"||\"");
      Want(right, Kind::kBool, right_at, "\"||\"");
      left = Binary(Op::kOr, Kind::kBool, left, right);
      if (++length_ > kMaxChain) return Complain(at, "too long");
    }
    return left;
  }

  std::uint32_t And(int depth) {
    const std::size_t at = Start();
    std::uint32_t left = Comparison(depth);
    while (!failed_ && Take("&&")) {
      const std::size_t right_at = Start();
      const std::uint32_t right = Comparison(depth);
      if (failed_) break;
      Want(left, Kind::kBool, at, "\"&&\"");
      Want(right, Kind::kBool, right_at, "\"&&\"");
      left = Binary(Op::kAnd, Kind::kBool, left, right);
      if (++length_ > kMaxChain) return Complain(at, "too long");
    }
    return left;
  }

  std::size_t Start() {
    SkipBlanks();
    return Offset();
  }

  std::uint32_t Comparison(int depth) {
    const std::size_t at = Start();
    const std::uint32_t left = Sum(depth);
    if (failed_) return 0;
    const std::size_t op_at = Start();
    if (Take("=~")) return Match(left, at, false);
    if (Take("!~")) return Match(left, at, true);
    if (TakeWord("in")) return In(left, depth);
    static constexpr std::pair<std::string_view, Op> kOps[] = {
        {"==", Op::kEqual},        {"!=", Op::kNotEqual}, {"<=", Op::kLessEqual},
        {">=", Op::kGreaterEqual}, {"<", Op::kLess},      {">", Op::kGreater}};
    for (const auto& [token, op] : kOps) {
      if (!Take(token)) continue;
      const std::uint32_t right = Sum(depth);
      if (failed_) return 0;
      const Kind a = KindOf(left), b = KindOf(right);
      const bool equality = op == Op::kEqual || op == Op::kNotEqual;
      const auto ordered = [](Kind k) {
        return k == Kind::kAny || k == Kind::kNumber || k == Kind::kString || k == Kind::kTimestamp;
      };
      const bool time = (a == Kind::kTimestamp && b == Kind::kString) ||
                        (b == Kind::kTimestamp && a == Kind::kString);
      const bool null = equality && (a == Kind::kNull || b == Kind::kNull);
      if ((!Fits(a, b) && !time && !null) || (!equality && (!ordered(a) || !ordered(b))))
        return Complain(op_at,
                        fmt::format("\"{}\" cannot compare {} with {}", token, Name(a), Name(b)));
      SkipBlanks();
      for (const auto& [again, ignored] : kOps)
        if (rest_.starts_with(again))
          return Complain(Offset(), "comparisons do not chain; join them with \"&&\"");
      return Binary(op, Kind::kBool, left, right);
    }
    return left;
  }

  std::uint32_t Match(std::uint32_t left, std::size_t left_at, bool negated) {
    Want(left, Kind::kString, left_at, "\"=~\"");
    const std::size_t at = Start();
    std::string pattern;
    if (!Text(pattern)) {
      if (failed_) return 0;
      return Complain(at, "a pattern must be a string, such as \"^GET \" or r'\\d+'");
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(8 << 20);
    auto compiled = std::make_shared<const RE2>(pattern, options);
    if (!compiled->ok())
      return Complain(at, fmt::format("the pattern does not compile: {}", compiled->error()));
    Node n;
    n.op = Op::kMatch;
    n.kind = Kind::kBool;
    n.a = left;
    n.pattern = std::move(compiled);
    const std::uint32_t match = Push(std::move(n));
    return negated ? Binary(Op::kNot, Kind::kBool, match, match) : match;
  }

  std::uint32_t In(std::uint32_t left, int depth) {
    const std::size_t at = Start();
    if (!Take("[")) {
      const std::uint32_t right = Sum(depth);
      if (failed_) return 0;
      if (KindOf(right) != Kind::kAny)
        return Complain(at, "\"in\" wants a list, [\"a\", \"b\"], or a field that is an array");
      return Binary(Op::kInArray, Kind::kBool, left, right);
    }
    Node n;
    n.op = Op::kInList;
    n.kind = Kind::kBool;
    n.a = left;
    if (!Take("]")) {
      do {
        const std::size_t item_at = Start();
        const std::uint32_t item = Unary(depth);
        if (failed_) return 0;
        if (program_->nodes[item].op != Op::kLiteral)
          return Complain(item_at, "a list holds constants only");
        if (!Fits(KindOf(left), KindOf(item)))
          return Complain(item_at,
                          fmt::format("{} is never {}", Name(KindOf(left)), Name(KindOf(item))));
        n.list.push_back(program_->nodes[item].literal);
        program_->nodes.pop_back();
      } while (Take(","));
      if (!Take("]")) return Complain(Offset(), fmt::format("\"]\" expected, not {}", Here()));
    }
    return Push(std::move(n));
  }

  std::uint32_t Sum(int depth) {
    const std::size_t at = Start();
    std::uint32_t left = Product(depth);
    while (!failed_) {
      const std::size_t op_at = Start();
      const bool plus = Take("+");
      if (!plus && !Take("-")) break;
      const std::size_t right_at = Start();
      const std::uint32_t right = Product(depth);
      if (failed_) break;
      const Kind a = KindOf(left), b = KindOf(right);
      if (plus && (a == Kind::kString || b == Kind::kString)) {
        if (!Fits(a, Kind::kString) || !Fits(b, Kind::kString))
          return Complain(
              op_at, fmt::format("\"+\" cannot add {} and {}; see to_string()", Name(a), Name(b)));
        left = Binary(Op::kAdd, Kind::kString, left, right);
      } else {
        Want(left, Kind::kNumber, at, plus ? "\"+\"" : "\"-\"");
        Want(right, Kind::kNumber, right_at, plus ? "\"+\"" : "\"-\"");
        const Kind kind = plus && a == Kind::kAny && b == Kind::kAny ? Kind::kAny : Kind::kNumber;
        left = Binary(plus ? Op::kAdd : Op::kSubtract, kind, left, right);
      }
      if (++length_ > kMaxChain) return Complain(at, "too long");
    }
    return left;
  }

  std::uint32_t Product(int depth) {
    const std::size_t at = Start();
    std::uint32_t left = Unary(depth);
    while (!failed_) {
      SkipBlanks();
      const char c = rest_.empty() ? '\0' : rest_[0];
      if (c != '*' && c != '/' && c != '%') break;
      rest_.remove_prefix(1);
      const std::size_t right_at = Start();
      const std::uint32_t right = Unary(depth);
      if (failed_) break;
      const std::string who = fmt::format("\"{}\"", c);
      Want(left, Kind::kNumber, at, who);
      Want(right, Kind::kNumber, right_at, who);
      left = Binary(c == '*'   ? Op::kMultiply
                    : c == '/' ? Op::kDivide
                               : Op::kModulo,
                    Kind::kNumber, left, right);
      if (++length_ > kMaxChain) return Complain(at, "too long");
    }
    return left;
  }

  std::uint32_t Unary(int depth) {
    if (depth > kMaxDepth) return Complain(Offset(), "nested more than 64 deep");
    const std::size_t at = Start();
    if (rest_.starts_with("!") && !rest_.starts_with("!=") && !rest_.starts_with("!~")) {
      rest_.remove_prefix(1);
      const std::uint32_t inner = Unary(depth + 1);
      if (failed_) return 0;
      Want(inner, Kind::kBool, at, "\"!\"");
      return Binary(Op::kNot, Kind::kBool, inner, inner);
    }
    if (rest_.starts_with("-")) {
      rest_.remove_prefix(1);
      const std::uint32_t inner = Unary(depth + 1);
      if (failed_) return 0;
      Want(inner, Kind::kNumber, at, "\"-\"");
      Value& v = program_->nodes[inner].literal;
      if (program_->nodes[inner].op == Op::kLiteral && v.present) {
        if (v.type == Type::kInt) v.i64 = -v.i64;
        if (v.type == Type::kDouble) v.f64 = -v.f64;
        return inner;
      }
      return Binary(Op::kNegate, Kind::kNumber, inner, inner);
    }
    return Postfix(depth);
  }

  std::uint32_t Postfix(int depth) {
    std::uint32_t value = Primary(depth);
    while (!failed_ && rest_.starts_with(".") && rest_.size() > 1 && IsLetter(rest_[1])) {
      const std::size_t at = Offset() + 1;
      rest_.remove_prefix(1);
      const std::string_view name = Identifier();
      if (!rest_.starts_with("("))
        return Complain(at, fmt::format("\"(\" expected behind \"{}\"", name));
      value = Call(name, at, depth, value);
      if (++length_ > kMaxChain) return Complain(at, "too long");
    }
    return value;
  }

  std::string_view Identifier() {
    std::size_t n = 0;
    while (n < rest_.size() && (IsLetter(rest_[n]) || IsDigit(rest_[n]))) ++n;
    const std::string_view name = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return name;
  }

  std::uint32_t Call(std::string_view name, std::size_t at, int depth, std::uint32_t receiver) {
    const Function* function = nullptr;
    std::vector<std::string_view> names;
    for (const Function& f : Functions()) {
      names.push_back(f.name);
      if (!f.alias.empty()) names.push_back(f.alias);
      if (f.name == name || (!f.alias.empty() && f.alias == name)) function = &f;
    }
    if (function == nullptr)
      return Complain(at, fmt::format("unknown function \"{}\"{}", name, DidYouMean(name, names)));
    Node n;
    n.op = Op::kCall;
    n.kind = function->gives;
    n.function = function;
    const auto add = [&](std::uint32_t arg, std::size_t where) {
      if (n.arg_count >= function->most) {
        Complain(where, fmt::format("{}() takes {} argument{}", name, function->most,
                                    function->most == 1 ? "" : "s"));
        return;
      }
      Want(arg, function->takes[n.arg_count], where, fmt::format("{}()", name));
      n.args[n.arg_count++] = arg;
    };
    if (receiver != kNone) add(receiver, at);
    rest_.remove_prefix(1);
    if (!Take(")")) {
      do {
        const std::size_t where = Start();
        const std::uint32_t arg = Or(depth + 1);
        if (failed_) return 0;
        add(arg, where);
      } while (!failed_ && Take(","));
      if (failed_) return 0;
      if (!Take(")")) return Complain(Offset(), fmt::format("\")\" expected, not {}", Here()));
    }
    if (n.arg_count < function->least)
      return Complain(at, fmt::format("{}() wants {} argument{}, not {}", name, function->least,
                                      function->least == 1 ? "" : "s", n.arg_count));
    if (function->name == "exists" && program_->nodes[n.args[0]].op != Op::kPath)
      return Complain(at, "exists() wants a path, such as .user.id");
    return Push(std::move(n));
  }

  std::uint32_t Literal(Value v, Kind kind) {
    Node n;
    n.literal = v;
    n.kind = kind;
    return Push(std::move(n));
  }

  std::uint32_t Primary(int depth) {
    const std::size_t at = Start();
    if (rest_.empty()) return Complain(at, "a value is missing at the end");
    const char c = rest_[0];
    if (c == '.') {
      auto path = Path::Scan(rest_);
      if (!path) return Complain(Offset(), path.error().message);
      if (path->root()) return Complain(at, "\".\" alone is the whole event; name a field");
      Node n;
      n.op = Op::kPath;
      n.path = std::move(*path);
      return Push(std::move(n));
    }
    if (Take("(")) {
      const std::uint32_t inner = Or(depth + 1);
      if (failed_) return 0;
      if (!Take(")")) return Complain(Offset(), fmt::format("\")\" expected, not {}", Here()));
      return inner;
    }
    std::string text;
    if (Text(text)) {
      program_->texts.push_back(std::move(text));
      return Literal(Value::Text(program_->texts.back()), Kind::kString);
    }
    if (failed_) return 0;
    if (IsDigit(c)) return Number(at);
    if (TakeWord("true")) return Literal(Value::Bool(true), Kind::kBool);
    if (TakeWord("false")) return Literal(Value::Bool(false), Kind::kBool);
    if (TakeWord("null")) return Literal(Value::Null(), Kind::kNull);
    if (IsLetter(c)) {
      const std::string here = Here();
      const std::string_view name = Identifier();
      if (rest_.starts_with("(")) return Call(name, at, depth, kNone);
      return Complain(at, fmt::format("unexpected {}: a field is written .{}, a string \"{}\"",
                                      here, name, name));
    }
    return Complain(at, fmt::format("a value is missing before {}", Here()));
  }

  std::uint32_t Number(std::size_t at) {
    std::size_t n = 0;
    while (n < rest_.size() &&
           (IsDigit(rest_[n]) || rest_[n] == '.' || (rest_[n] | 0x20) == 'e' ||
            ((rest_[n] == '+' || rest_[n] == '-') && n > 0 && (rest_[n - 1] | 0x20) == 'e')))
      ++n;
    // "1.abs()" is a call.
    const std::string_view text = rest_.substr(0, n);
    rest_.remove_prefix(n);
    if (const auto i = ParseNumber<std::int64_t>(text))
      return Literal(Value::Int(*i), Kind::kNumber);
    const auto d = ParseNumber<double>(text);
    if (!d || !std::isfinite(*d))
      return Complain(at, fmt::format("\"{}\" is not a number", Printable(text, 40)));
    return Literal(Value::Double(*d), Kind::kNumber);
  }

  /// "..." and '...' with \" \' \\ \n \r \t (another backslash stays), or r'...' without escapes.
  bool Text(std::string& out) {
    SkipBlanks();
    const std::size_t at = Offset();
    const bool raw = rest_.starts_with("r'") || rest_.starts_with("r\"");
    if (!raw && !rest_.starts_with("\"") && !rest_.starts_with("'")) return false;
    if (raw) rest_.remove_prefix(1);
    const char quote = rest_[0];
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_[0] != quote) {
      char c = rest_[0];
      if (c == '\\' && !raw && rest_.size() > 1) {
        const char next = rest_[1];
        const std::string_view from = "\"'\\nrt", to = "\"'\\\n\r\t";
        if (const auto found = from.find(next); found != std::string_view::npos) {
          c = to[found];
          rest_.remove_prefix(1);
        }
      }
      out += c;
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) {
      Complain(at, "a string is not closed");
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  static constexpr std::uint32_t kNone = UINT32_MAX;
  // A chain nests to the left, and evaluation goes down it.
  static constexpr int kMaxChain = 1000;

  std::string_view text_, rest_;
  std::shared_ptr<Program> program_;
  bool failed_ = false;
  int length_ = 0;
  Fault fault_{0, ""};
};

}  // namespace

tl::expected<std::shared_ptr<const Program>, Fault> Parse(std::string_view text) {
  return Parser(text).Run();
}

}  // namespace millrace::agent::expr
