#pragma once
// The tree between CEL's parser and its evaluator.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "exporters/uptime_probe/cel/value.h"
#include "exporters/uptime_probe/regexp.h"

namespace millrace::uptime_probe::cel {

enum class Op : unsigned char {
  kLiteral,
  kVariable,  // name; children none
  kSelect,    // a.name
  kHas,       // has(a.name)
  kIndex,     // a[b]
  kList,
  kMap,  // key, value, key, value...
  kConditional,
  kOr,
  kAnd,
  kNot,
  kNegate,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kCall,           // name(children...) or children[0].name(children[1..])
  kComprehension,  // children[0].name(variable, children[1], [children[2]])
};

struct Node {
  Op op = Op::kLiteral;
  Value literal;
  std::string name;      // of a field, variable, function or macro
  std::string variable;  // of a macro
  std::vector<std::unique_ptr<Node>> children;
  std::optional<Regexp> regexp;  // of matches() with a literal pattern
};

[[nodiscard]] Result<std::unique_ptr<Node>> Parse(std::string_view text);

}  // namespace millrace::uptime_probe::cel
