#include "agent/transforms/parse/dissect.h"

#include "agent/decode/dissect.h"

namespace millrace::agent {

void Visit(config::Visitor& v, DissectConfig& c) {
  VisitParser(v, c.parser);
  v.Field("pattern", c.pattern,
          "Fields and the delimiters between them: `%{time} [%{level}] %{message}`.")
      .Required()
      .Check([](const std::string& text) {
        const auto made = DissectDecoder::Make(text, false);
        return made ? std::string() : made.error().message;
      });
  v.Field("infer_types", c.infer_types,
          "Numbers, true and false become such; otherwise all values are strings.");
}

Result<std::unique_ptr<Transform>> MakeDissect(const DissectConfig& c, const Context& context) {
  MILLRACE_ASSIGN(auto decoder, DissectDecoder::Make(c.pattern, c.infer_types));
  return MakeParser(std::move(decoder), c.parser, context);
}

}  // namespace millrace::agent
