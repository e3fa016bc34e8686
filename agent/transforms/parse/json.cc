#include "agent/transforms/parse/json.h"

namespace millrace::agent {

void Visit(config::Visitor& v, JsonConfig& c) {
  VisitParser(v, c.parser);
  v.Field("max_depth", c.limits.max_depth, "Deeper nesting is a failure.").Range(1, 1000);
  config::Bytes bytes{c.limits.max_bytes};
  v.Field("max_bytes", bytes, "Longer text is a failure.").Range(1, 1 << 30);
  c.limits.max_bytes = bytes.value;
  v.Field("max_fields", c.limits.max_fields, "More members of the object are a failure.")
      .Range(1, 10'000'000);
  v.Field("lossy", c.limits.lossy,
          "Replace bytes that are not UTF-8 by U+FFFD; otherwise they are a failure.");
}

Result<std::unique_ptr<Transform>> MakeJson(const JsonConfig& c, const Context& context) {
  return MakeParser(std::make_shared<JsonDecoder>(c.limits, !c.parser.target_field.empty()),
                    c.parser, context);
}

}  // namespace millrace::agent
