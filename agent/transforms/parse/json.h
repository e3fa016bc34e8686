#pragma once
// Transform `json`: takes a JSON object apart.
#include "agent/decode/json.h"
#include "agent/transforms/parse/parser.h"

namespace millrace::agent {

struct JsonConfig {
  ParserOptions parser;
  JsonLimits limits;
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, JsonConfig& c);
Result<std::unique_ptr<Transform>> MakeJson(const JsonConfig& c, const Context& context);

}  // namespace millrace::agent
