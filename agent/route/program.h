#pragma once
// What an expression compiles to: a tree in one vector, children before their parents.
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <re2/re2.h>

#include "agent/core/path.h"
#include "agent/route/expression.h"

namespace millrace::agent::expr {

using Kind = Expression::Kind;

/// Memory for strings that an evaluation builds; one per thread, reset by each evaluation.
class Scratch {
 public:
  char* Allocate(std::size_t n);
  void Reset();

 private:
  static constexpr std::size_t kChunk = 16 * 1024;
  std::unique_ptr<char[]> first_;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<char[]>> large_;
};

/// The bytes that a string stands for; a JSON string with escapes is taken out of them.
[[nodiscard]] std::string_view Plain(const Value& v, Scratch& scratch);

struct Function {
  std::string_view name;
  std::string_view alias;    ///< A second spelling, or empty.
  std::uint8_t least, most;  ///< Number of arguments.
  Kind takes[3];
  Kind gives;
  Value (*call)(std::span<const Value> args, Scratch& scratch);
  std::string_view help;
};
[[nodiscard]] std::span<const Function> Functions();

enum class Op : std::uint8_t {
  kLiteral,
  kPath,
  kAnd,
  kOr,
  kNot,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kInList,   ///< `a` in a list of literals.
  kInArray,  ///< `a` in the array that `b` is.
  kMatch,    ///< `a` =~ pattern.
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kNegate,
  kCall,
};

struct Node {
  Op op = Op::kLiteral;
  Kind kind = Kind::kAny;
  std::uint32_t a = 0, b = 0;         ///< Children.
  std::uint32_t args[3] = {0, 0, 0};  ///< Of a call.
  std::uint8_t arg_count = 0;
  const Function* function = nullptr;
  Value literal;
  Path path;
  std::shared_ptr<const RE2> pattern;
  std::vector<Value> list;
};

struct Program {
  std::vector<Node> nodes;        ///< The last one is the result.
  std::deque<std::string> texts;  ///< What literals point into.

  [[nodiscard]] Value Evaluate(const EventBatch& batch, const Event& e) const;
  [[nodiscard]] bool Matches(const EventBatch& batch, const Event& e) const;
};

/// -1, 0, 1, or 2 when the two cannot be ordered.
[[nodiscard]] int Compare(const Value& a, const Value& b, Scratch& scratch);
[[nodiscard]] bool Equal(const Value& a, const Value& b, Scratch& scratch);

[[nodiscard]] tl::expected<std::shared_ptr<const Program>, Expression::Fault> Parse(
    std::string_view text);

}  // namespace millrace::agent::expr
