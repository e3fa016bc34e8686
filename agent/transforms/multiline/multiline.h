#pragma once
// Transform `multiline`: joins lines that belong together into one event.
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/core/component.h"
#include "agent/transforms/multiline/rules.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct MultilineConfig {
  std::string field = "message";
  std::string start_pattern, continuation_pattern, continued_pattern, end_pattern;
  std::vector<std::string> presets;
  std::vector<LineRules::Rule> rules;
  std::vector<std::string> group_by;
  std::string separator = "\n";
  std::uint64_t timeout_ms = 1000, max_lines = 1000;
  config::Bytes max_bytes{1 << 20};
};
void Visit(config::Visitor& v, LineRules::Rule& c);
void Visit(config::Visitor& v, MultilineConfig& c);
Result<std::unique_ptr<Transform>> MakeMultiline(const MultilineConfig& c, const Context& context);

}  // namespace millrace::agent
