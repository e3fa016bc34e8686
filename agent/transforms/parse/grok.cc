#include "agent/transforms/parse/grok.h"

#include "agent/rules/grok/grok.h"

namespace millrace::agent {
namespace {

Result<std::shared_ptr<const GrokDecoder>> MakeDecoder(const GrokConfig& c) {
  PatternLibrary library =
      PatternLibrary::BuiltIn(c.names == "ecs" ? GrokNames::kEcs : GrokNames::kLegacy);
  for (const auto& [name, pattern] : c.pattern_definitions) library.Add(name, pattern);
  GrokOptions options;
  options.patterns = c.patterns;
  options.library = &library;
  options.match_limit = c.match_limit;
  return GrokDecoder::Make(options);
}

}  // namespace

void Visit(config::Visitor& v, GrokConfig& c) {
  VisitParser(v, c.parser);
  v.Field("patterns", c.patterns,
          "Grok expressions such as `%{IP:client} %{NUMBER:ms:float}`; the first one found in the "
          "text counts.")
      .Required()
      .NotEmpty();
  v.Field("pattern_definitions", c.pattern_definitions, "Patterns of your own: name and pattern.");
  v.Field("names", c.names, "Field names of the patterns for whole lines.")
      .OneOf({"legacy", "ecs"});
  v.Field("match_limit", c.match_limit,
          "Steps of backtracking after which a line counts as a failure.")
      .Range(100, 100'000'000);
  if (v.describing() || c.patterns.empty()) return;
  if (const auto made = MakeDecoder(c); !made) v.Complain("patterns", made.error().message);
}

Result<std::unique_ptr<Transform>> MakeGrok(const GrokConfig& c, const Context& context) {
  MILLRACE_ASSIGN(auto decoder, MakeDecoder(c));
  return MakeParser(std::move(decoder), c.parser, context);
}

}  // namespace millrace::agent
