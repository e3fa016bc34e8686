#pragma once
// Transform `grok`: named patterns, as Logstash has them.
#include <map>
#include <string>
#include <vector>

#include "agent/transforms/parse/parser.h"

namespace millrace::agent {

struct GrokConfig {
  ParserOptions parser;
  std::vector<std::string> patterns;
  std::map<std::string, std::string> pattern_definitions;
  std::string names = "legacy";
  std::uint32_t match_limit = 100'000;
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, GrokConfig& c);
Result<std::unique_ptr<Transform>> MakeGrok(const GrokConfig& c, const Context& context);

}  // namespace millrace::agent
