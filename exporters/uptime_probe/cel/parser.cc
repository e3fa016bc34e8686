#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/cel/node.h"

namespace millrace::uptime_probe::cel {
namespace {

constexpr int kMaxDepth = 200;

using Tree = std::unique_ptr<Node>;

struct Function {
  std::string_view name;
  std::size_t arguments;  // with the receiver
  bool method;
};
constexpr Function kFunctions[] = {
    {"size", 1, false},    {"size", 1, true},    {"contains", 2, true}, {"startsWith", 2, true},
    {"endsWith", 2, true}, {"matches", 2, true}, {"matches", 2, false}, {"int", 1, false},
    {"uint", 1, false},    {"double", 1, false}, {"string", 1, false},  {"bool", 1, false},
    {"dyn", 1, false},     {"type", 1, false}};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Tree> Run() {
    MILLRACE_ASSIGN(Tree tree, Expression());
    Blanks();
    if (at_ != text_.size()) return Bad("unexpected text");
    return tree;
  }

 private:
  [[nodiscard]] tl::unexpected<Error> Bad(std::string_view what) const {
    return Fail(ErrorCode::kParse, fmt::format("{} at column {}", what, at_ + 1));
  }
  void Blanks() {
    for (;;) {
      while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
      if (!text_.substr(at_).starts_with("//")) return;
      at_ = std::min(text_.find('\n', at_), text_.size());
    }
  }
  bool Take(std::string_view token) {
    Blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  /// "in" and the like, not the start of a longer word.
  bool TakeWord(std::string_view word) {
    Blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    const std::size_t end = at_ + word.size();
    if (end < text_.size() &&
        (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '_'))
      return false;
    at_ = end;
    return true;
  }
  std::string Word() {
    Blanks();
    std::size_t end = at_;
    while (end < text_.size() &&
           (std::isalpha(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '_' ||
            (end > at_ && std::isdigit(static_cast<unsigned char>(text_[end])) != 0)))
      ++end;
    std::string word(text_.substr(at_, end - at_));
    at_ = end;
    return word;
  }
  static Tree Make(Op op, Tree a = nullptr, Tree b = nullptr, Tree c = nullptr) {
    auto node = std::make_unique<Node>();
    node->op = op;
    for (Tree* child : {&a, &b, &c})
      if (*child != nullptr) node->children.push_back(std::move(*child));
    return node;
  }
  static Tree Literal(Value v) {
    auto node = std::make_unique<Node>();
    node->literal = std::move(v);
    return node;
  }

  /// Counts the recursion of the grammar.
  class Level {
   public:
    explicit Level(int& depth) : depth_(depth) { ++depth_; }
    ~Level() { --depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    int& depth_;
  };

  Result<Tree> Expression() {
    const Level level(depth_);
    if (depth_ > kMaxDepth) return Bad("expression is nested too deeply");
    MILLRACE_ASSIGN(Tree condition, Or());
    if (!Take("?")) return condition;
    MILLRACE_ASSIGN(Tree yes, Or());
    if (!Take(":")) return Bad("expected ':'");
    MILLRACE_ASSIGN(Tree no, Expression());
    return Make(Op::kConditional, std::move(condition), std::move(yes), std::move(no));
  }

  Result<Tree> Or() {
    MILLRACE_ASSIGN(Tree left, And());
    while (Take("||")) {
      MILLRACE_ASSIGN(Tree right, And());
      left = Make(Op::kOr, std::move(left), std::move(right));
    }
    return left;
  }

  Result<Tree> And() {
    MILLRACE_ASSIGN(Tree left, Relation());
    while (Take("&&")) {
      MILLRACE_ASSIGN(Tree right, Relation());
      left = Make(Op::kAnd, std::move(left), std::move(right));
    }
    return left;
  }

  Result<Tree> Relation() {
    static constexpr std::pair<std::string_view, Op> kOps[] = {
        {"==", Op::kEqual},        {"!=", Op::kNotEqual}, {"<=", Op::kLessEqual},
        {">=", Op::kGreaterEqual}, {"<", Op::kLess},      {">", Op::kGreater}};
    MILLRACE_ASSIGN(Tree left, Sum());
    for (;;) {
      std::optional<Op> op;
      for (const auto& [token, candidate] : kOps)
        if (!op && Take(token)) op = candidate;
      if (!op && TakeWord("in")) op = Op::kIn;
      if (!op) return left;
      MILLRACE_ASSIGN(Tree right, Sum());
      left = Make(*op, std::move(left), std::move(right));
    }
  }

  Result<Tree> Sum() {
    MILLRACE_ASSIGN(Tree left, Product());
    for (;;) {
      const bool add = Take("+");
      if (!add && !Take("-")) return left;
      MILLRACE_ASSIGN(Tree right, Product());
      left = Make(add ? Op::kAdd : Op::kSubtract, std::move(left), std::move(right));
    }
  }

  Result<Tree> Product() {
    MILLRACE_ASSIGN(Tree left, Unary());
    for (;;) {
      const Op op = Take("*")   ? Op::kMultiply
                    : Take("/") ? Op::kDivide
                    : Take("%") ? Op::kModulo
                                : Op::kLiteral;
      if (op == Op::kLiteral) return left;
      MILLRACE_ASSIGN(Tree right, Unary());
      left = Make(op, std::move(left), std::move(right));
    }
  }

  Result<Tree> Unary() {
    const Level level(depth_);
    if (depth_ > kMaxDepth) return Bad("expression is nested too deeply");
    Blanks();
    if (at_ < text_.size() && text_[at_] == '!' && !text_.substr(at_).starts_with("!=")) {
      ++at_;
      MILLRACE_ASSIGN(Tree inner, Unary());
      return Make(Op::kNot, std::move(inner));
    }
    if (Take("-")) {
      Blanks();
      if (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
        MILLRACE_ASSIGN(Tree number, Number(true));
        return Postfix(std::move(number));
      }
      MILLRACE_ASSIGN(Tree inner, Unary());
      return Make(Op::kNegate, std::move(inner));
    }
    MILLRACE_ASSIGN(Tree primary, Primary());
    return Postfix(std::move(primary));
  }

  Result<Tree> Postfix(Tree left) {
    for (int i = 0; i < 1000; ++i) {
      if (Take("[")) {
        MILLRACE_ASSIGN(Tree index, Expression());
        if (!Take("]")) return Bad("expected ']'");
        left = Make(Op::kIndex, std::move(left), std::move(index));
      } else if (Take(".")) {
        std::string name = Word();
        if (name.empty()) return Bad("expected a field name");
        Blanks();
        if (at_ < text_.size() && text_[at_] == '(') {
          MILLRACE_ASSIGN(left, Method(std::move(left), name));
        } else {
          left = Make(Op::kSelect, std::move(left));
          left->name = std::move(name);
        }
      } else {
        return left;
      }
    }
    return Bad("expression is too long");
  }

  Result<std::vector<Tree>> Arguments() {
    std::vector<Tree> out;
    if (!Take("(")) return Bad("expected '('");
    if (Take(")")) return out;
    do {
      MILLRACE_ASSIGN(Tree argument, Expression());
      out.push_back(std::move(argument));
    } while (Take(","));
    if (!Take(")")) return Bad("expected ')'");
    return out;
  }

  Result<Tree> Method(Tree receiver, const std::string& name) {
    static constexpr std::array<std::string_view, 5> kMacros = {"all", "exists", "exists_one",
                                                                "map", "filter"};
    if (std::find(kMacros.begin(), kMacros.end(), name) != kMacros.end())
      return Comprehension(std::move(receiver), name);
    MILLRACE_ASSIGN(std::vector<Tree> arguments, Arguments());
    arguments.insert(arguments.begin(), std::move(receiver));
    return Call(name, std::move(arguments), true);
  }

  Result<Tree> Comprehension(Tree receiver, const std::string& name) {
    Take("(");
    std::string variable = Word();
    if (variable.empty() || !Take(",")) return Bad("expected a variable and ','");
    auto node = std::make_unique<Node>();
    node->op = Op::kComprehension;
    node->name = name;
    node->variable = variable;
    node->children.push_back(std::move(receiver));
    scope_.push_back(std::move(variable));
    const std::size_t most = name == "map" ? 2 : 1;
    do {
      MILLRACE_ASSIGN(Tree inner, Expression());
      node->children.push_back(std::move(inner));
    } while (node->children.size() <= most && Take(","));
    scope_.pop_back();
    if (!Take(")")) return Bad("expected ')'");
    return node;
  }

  Result<Tree> Call(const std::string& name, std::vector<Tree> arguments, bool method) {
    const bool known =
        std::any_of(std::begin(kFunctions), std::end(kFunctions), [&](const Function& f) {
          return f.name == name && f.method == method && f.arguments == arguments.size();
        });
    if (!known)
      return Bad(fmt::format("undeclared reference or wrong number of arguments: {}", name));
    auto node = std::make_unique<Node>();
    node->op = Op::kCall;
    node->name = name;
    if (name == "matches" && arguments[1]->op == Op::kLiteral) {
      const auto* pattern = arguments[1]->literal.As<std::string>();
      if (pattern == nullptr) return Bad("matches needs a string");
      MILLRACE_ASSIGN(node->regexp, Regexp::Compile(*pattern));
    }
    node->children = std::move(arguments);
    return node;
  }

  Result<Tree> Primary() {
    Blanks();
    if (at_ >= text_.size()) return Bad("unexpected end");
    const char c = text_[at_];
    if (Take("(")) {
      MILLRACE_ASSIGN(Tree inner, Expression());
      if (!Take(")")) return Bad("expected ')'");
      return inner;
    }
    if (Take("[")) return ListLiteral();
    if (Take("{")) return MapLiteral();
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.') return Number(false);
    if (c == '"' || c == '\'') return String(false);
    if ((c == 'r' || c == 'R') && at_ + 1 < text_.size() &&
        (text_[at_ + 1] == '"' || text_[at_ + 1] == '\'')) {
      ++at_;
      return String(true);
    }
    const std::string word = Word();
    if (word.empty()) return Bad("unexpected character");
    if (word == "true" || word == "false") return Literal(Value{word == "true"});
    if (word == "null") return Literal(Value{});
    Blanks();
    if (at_ < text_.size() && text_[at_] == '(') {
      if (word == "has") return Has();
      MILLRACE_ASSIGN(std::vector<Tree> arguments, Arguments());
      return Call(word, std::move(arguments), false);
    }
    static constexpr std::array<std::string_view, 8> kTypes = {
        "bool", "int", "uint", "double", "string", "list", "map", "null_type"};
    for (const auto type : kTypes)
      if (word == type) return Literal(Value{TypeName{type}});
    if (word != "body" && std::find(scope_.begin(), scope_.end(), word) == scope_.end())
      return Bad(fmt::format("undeclared reference to '{}'", word));
    auto node = std::make_unique<Node>();
    node->op = Op::kVariable;
    node->name = word;
    return node;
  }

  Result<Tree> Has() {
    MILLRACE_ASSIGN(std::vector<Tree> arguments, Arguments());
    if (arguments.size() != 1 || arguments[0]->op != Op::kSelect)
      return Bad("has() needs the selection of a field");
    arguments[0]->op = Op::kHas;
    return std::move(arguments[0]);
  }

  Result<Tree> ListLiteral() {
    Tree node = Make(Op::kList);
    while (!Take("]")) {
      MILLRACE_ASSIGN(Tree item, Expression());
      node->children.push_back(std::move(item));
      if (Take(",")) continue;
      if (!Take("]")) return Bad("expected ']'");
      break;
    }
    return node;
  }

  Result<Tree> MapLiteral() {
    Tree node = Make(Op::kMap);
    while (!Take("}")) {
      MILLRACE_ASSIGN(Tree key, Expression());
      if (!Take(":")) return Bad("expected ':'");
      MILLRACE_ASSIGN(Tree value, Expression());
      node->children.push_back(std::move(key));
      node->children.push_back(std::move(value));
      if (Take(",")) continue;
      if (!Take("}")) return Bad("expected '}'");
      break;
    }
    return node;
  }

  Result<Tree> Number(bool negative) {
    std::size_t end = at_;
    const bool hex = text_.substr(at_).starts_with("0x") || text_.substr(at_).starts_with("0X");
    bool real = false;
    if (hex) end += 2;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      if (hex ? std::isxdigit(static_cast<unsigned char>(c)) != 0
              : std::isdigit(static_cast<unsigned char>(c)) != 0)
        continue;
      const bool exponent = !hex && (c == 'e' || c == 'E');
      const bool sign =
          (c == '+' || c == '-') && end > at_ && (text_[end - 1] | 0x20) == 'e' && real;
      if (!exponent && !sign && (hex || c != '.')) break;
      real = true;
    }
    const std::string_view digits = text_.substr(at_, end - at_);
    at_ = end;
    if (real) {
      const auto d = ParseNumber<double>(digits);
      if (!d) return Bad("bad number");
      return Literal(Value{negative ? -*d : *d});
    }
    const auto u = ParseNumber<std::uint64_t>(hex ? digits.substr(2) : digits, hex ? 16 : 10);
    if (!u) return Bad("bad number");
    if (at_ < text_.size() && (text_[at_] == 'u' || text_[at_] == 'U')) {
      ++at_;
      if (negative) return Bad("bad number");
      return Literal(Value{*u});
    }
    constexpr std::uint64_t kMost = static_cast<std::uint64_t>(INT64_MAX);
    if (*u > kMost + (negative ? 1 : 0)) return Bad("number too large");
    return Literal(
        Value{negative ? static_cast<std::int64_t>(~*u + 1) : static_cast<std::int64_t>(*u)});
  }

  static void AppendUtf8(std::string& out, std::uint32_t c) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xc0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xe0 | c >> 12);
      out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
      out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
      out += static_cast<char>(0xf0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
      out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
      out += static_cast<char>(0x80 | (c & 0x3f));
    }
  }

  Result<Tree> String(bool raw) {
    const char quote = text_[at_];
    const std::string triple(3, quote);
    const std::string_view end_mark =
        text_.substr(at_).starts_with(triple) ? std::string_view(triple) : text_.substr(at_, 1);
    at_ += end_mark.size();
    std::string out;
    for (;;) {
      if (at_ >= text_.size()) return Bad("unterminated string");
      if (text_.substr(at_).starts_with(end_mark)) break;
      const char c = text_[at_++];
      if (c == '\n' && end_mark.size() == 1) return Bad("unterminated string");
      if (c != '\\' || raw) {
        out += c;
        continue;
      }
      if (at_ >= text_.size()) return Bad("unterminated string");
      const char e = text_[at_++];
      static constexpr std::string_view kFrom = "abfnrtv\\?\"'`", kTo = "\a\b\f\n\r\t\v\\?\"'`";
      if (const auto i = kFrom.find(e); i != std::string_view::npos) {
        out += kTo[i];
        continue;
      }
      const bool octal = e >= '0' && e <= '3';
      const std::size_t size = octal                  ? 3
                               : e == 'x' || e == 'X' ? 2
                               : e == 'u'             ? 4
                               : e == 'U'             ? 8
                                                      : 0;
      if (octal) --at_;
      const auto code = ParseNumber<std::uint32_t>(text_.substr(at_, size), octal ? 8 : 16);
      if (size == 0 || !code || at_ + size > text_.size() || *code > 0x10ffff ||
          (*code & 0xfffff800U) == 0xd800)
        return Bad("bad escape");
      at_ += size;
      AppendUtf8(out, *code);
    }
    at_ += end_mark.size();
    return Literal(Value{std::move(out)});
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::vector<std::string> scope_;
};

}  // namespace

Result<std::unique_ptr<Node>> Parse(std::string_view text) {
  if (text.size() > 65536) return Fail(ErrorCode::kParse, "expression is too long");
  return Parser(text).Run();
}

}  // namespace millrace::uptime_probe::cel
