#include "agent/route/expression.h"

#include <fmt/format.h>

#include "agent/route/program.h"
#include "common/config/visitor.h"

namespace millrace::agent {

tl::expected<Expression, Expression::Fault> Expression::Compile(std::string_view text) {
  auto program = expr::Parse(text);
  if (!program) return tl::make_unexpected(std::move(program).error());
  Expression e;
  e.program_ = std::move(*program);
  return e;
}

Expression::Kind Expression::kind() const { return program_->nodes.back().kind; }

Value Expression::Evaluate(const EventBatch& batch, const Event& e) const {
  return program_->Evaluate(batch, e);
}

tl::expected<Condition, Expression::Fault> Condition::Compile(std::string_view text) {
  auto compiled = Expression::Compile(text);
  if (!compiled) return tl::make_unexpected(std::move(compiled).error());
  const Expression::Kind kind = compiled->kind();
  if (kind != Expression::Kind::kBool && kind != Expression::Kind::kAny)
    return tl::make_unexpected(
        Expression::Fault{0, "a condition must be true or false, this is another value"});
  Condition c;
  c.program_ = compiled->program_;
  return c;
}

bool Condition::Matches(const EventBatch& batch, const Event& e) const {
  return program_->Matches(batch, e);
}

namespace {

/// Where byte `offset` of a scalar stands in its file. yaml-cpp knows only where the scalar starts,
/// so the place is exact for one line, plain or in quotes; of a block it is the line.
void Report(config::Visitor& v, const YAML::Node& node, const std::string& path,
            const std::string& text, const Expression::Fault& fault) {
  int line = 1, column = 1;
  if (node.IsDefined() && !node.Mark().is_null()) {
    line = node.Mark().line + 1;
    column = node.Mark().column + 1;
  }
  const std::string_view before = std::string_view(text).substr(0, fault.offset);
  const bool block = text.find('\n') != std::string::npos;
  if (block) {
    for (const char c : before) line += c == '\n' ? 1 : 0;
    line += 1;
  } else {
    column += static_cast<int>(before.size()) + (node.Tag() == "!" ? 1 : 0);
  }
  const std::size_t from = fault.offset > 20 ? fault.offset - 20 : 0;
  v.problems()->Add(v.file(), line, column,
                    fmt::format("{}: {} (at \"{}\" <- here -> \"{}\")", path, fault.what,
                                text.substr(from, fault.offset - from),
                                text.substr(std::min(fault.offset, text.size()), 20)));
}

}  // namespace

void CheckConditionAt(config::Visitor& v, const YAML::Node& node, const std::string& path,
                      const std::string& text) {
  if (v.describing() || text.empty()) return;
  if (const auto compiled = Condition::Compile(text); !compiled)
    Report(v, node, path, text, compiled.error());
}

void CheckExpressionAt(config::Visitor& v, const YAML::Node& node, const std::string& path,
                       const std::string& text) {
  if (v.describing()) return;
  if (const auto compiled = Expression::Compile(text); !compiled)
    Report(v, node, path, text, compiled.error());
}

void CheckCondition(config::Visitor& v, const char* key, const std::string& text) {
  if (v.describing()) return;
  CheckConditionAt(v, v.node()[key], v.path().empty() ? key : v.path() + "." + key, text);
}

}  // namespace millrace::agent
