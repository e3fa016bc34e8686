#pragma once
// CEL expressions with one variable, `body` (https://github.com/google/cel-spec, language
// definition). Supported: literals, lists, maps, selection, indexing, ?: || && == != < <= > >= in
// + - * / % !, has, all, exists, exists_one, map, filter, size, contains, startsWith, endsWith,
// matches, int, uint, double, string, bool, dyn, type. Not supported, and refused when compiled:
// bytes, timestamps, durations, messages, extension functions.
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "exporters/uptime_probe/cel/value.h"
#include "exporters/uptime_probe/io/deadline.h"

namespace millrace::uptime_probe::cel {

struct Node;

/// Immutable, thread safe.
class Program {
 public:
  [[nodiscard]] static Result<Program> Compile(std::string_view text);
  ~Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  /// kTimeout at the deadline, kResourceExhausted for an expression that makes too many values.
  [[nodiscard]] Result<Value> Evaluate(const Value& body, Deadline deadline) const;

 private:
  explicit Program(std::unique_ptr<Node> root);
  std::unique_ptr<Node> root_;
};

}  // namespace millrace::uptime_probe::cel
