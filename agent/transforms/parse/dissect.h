#pragma once
// Transform `dissect`: cuts lines at fixed delimiters.
#include <string>
#include <vector>

#include "agent/transforms/parse/parser.h"

namespace millrace::agent {

struct DissectConfig {
  ParserOptions parser;
  std::string pattern;
  bool infer_types = false;
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, DissectConfig& c);
Result<std::unique_ptr<Transform>> MakeDissect(const DissectConfig& c, const Context& context);

}  // namespace millrace::agent
