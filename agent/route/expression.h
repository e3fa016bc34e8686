#pragma once
// The expression language: `.level == "error" && .status >= 500 && .path.startsWith("/api")`.
// Typed and compiled once at load; evaluation makes no allocation but for strings it has to build.
// docs/expressions.md is its manual.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "agent/core/event.h"
#include "agent/core/value.h"

namespace YAML {
class Node;
}
namespace millrace::config {
class Visitor;
}

namespace millrace::agent {

namespace expr {
struct Program;
}

/// Copies share the compiled program, which is immutable and thread safe.
class Expression {
 public:
  struct Fault {
    std::size_t offset;  ///< In the text, bytes.
    std::string what;
  };
  /// What is known of a value before there is an event; kAny of a field's.
  enum class Kind : unsigned char { kAny, kNull, kBool, kNumber, kString, kTimestamp };

  /// The text must not hold more than 64 levels of nesting.
  [[nodiscard]] static tl::expected<Expression, Fault> Compile(std::string_view text);

  [[nodiscard]] Kind kind() const;
  /// Text of the result lies in the batch, in the expression or in a buffer of this thread that the
  /// next call reuses.
  [[nodiscard]] Value Evaluate(const EventBatch& batch, const Event& e) const;

 private:
  friend class Condition;
  std::shared_ptr<const expr::Program> program_;
};

/// An expression that is true or false. A comparison of values of different types is false, and so
/// is a field that is not a boolean.
class Condition {
 public:
  [[nodiscard]] static tl::expected<Condition, Expression::Fault> Compile(std::string_view text);
  [[nodiscard]] bool Matches(const EventBatch& batch, const Event& e) const;

 private:
  std::shared_ptr<const expr::Program> program_;
};

/// For Visit(): checks the text that stands at `key` and reports faults at their line and column.
void CheckCondition(config::Visitor& v, const char* key, const std::string& text);
/// The same for text that stands at `node`, anywhere below the visitor's mapping; `path` names it.
void CheckConditionAt(config::Visitor& v, const YAML::Node& node, const std::string& path,
                      const std::string& text);
void CheckExpressionAt(config::Visitor& v, const YAML::Node& node, const std::string& path,
                       const std::string& text);

}  // namespace millrace::agent
