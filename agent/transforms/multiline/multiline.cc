#include "agent/transforms/multiline/multiline.h"

#include <fmt/format.h>

#include "agent/transforms/fields/constant.h"
#include "agent/transforms/multiline/joiner.h"
#include "common/base/strings.h"

namespace millrace::agent {
namespace {

using Rules = std::vector<LineRules::Rule>;

/// The rules that the four patterns stand for.
Rules FromPatterns(const MultilineConfig& c) {
  Rules rules;
  const bool starts = !c.start_pattern.empty(), continues = !c.continuation_pattern.empty(),
             ends = !c.end_pattern.empty();
  const auto add = [&](const char* state, const std::string& pattern, bool negate = false,
                       bool last = false) {
    rules.push_back({{state}, pattern, "open", negate, last});
  };
  if (!c.continued_pattern.empty()) {
    add("start", c.continued_pattern);
    add("open", c.continued_pattern);
    add("open", "", false, true);
    return rules;
  }
  if (starts) {
    add("start", c.start_pattern);
  } else {
    if (ends) add("start", c.end_pattern, false, true);
    if (continues)
      add("start", c.continuation_pattern, true);
    else
      add("start", "");
  }
  if (starts && (ends || !continues)) {
    // A new start ends a message whose end never came.
    if (ends) add("open", c.end_pattern, false, true);
    add("open", continues ? c.continuation_pattern : c.start_pattern, !continues);
  } else {
    if (ends) add("open", c.end_pattern, false, true);
    add("open", c.continuation_pattern);
  }
  return rules;
}

/// Several presets are tried side by side: their states are kept apart by name.
Rules FromPresets(const std::vector<std::string>& names) {
  Rules rules;
  for (const std::string& name : names) {
    const Rules* preset = LineRules::Preset(name);
    if (preset == nullptr) continue;
    for (LineRules::Rule rule : *preset) {
      rule.next = name + "." + rule.next;
      for (std::string& state : rule.states)
        if (state != "start") state = name + "." + state;
      rules.push_back(std::move(rule));
    }
  }
  return rules;
}

Rules RulesOf(const MultilineConfig& c) {
  if (!c.rules.empty()) return c.rules;
  return c.presets.empty() ? FromPatterns(c) : FromPresets(c.presets);
}

}  // namespace

void Visit(config::Visitor& v, LineRules::Rule& c) {
  v.Field("states", c.states, "States in which the rule is tried; `start`: no message is open.")
      .Required()
      .NotEmpty();
  v.Field("pattern", c.pattern, "RE2 pattern, searched in the line.").Required();
  v.Field("next", c.next, "State after a line that matches.").Required().NotEmpty();
  v.Field("negate", c.negate, "The rule is for lines in which the pattern is not found.");
  v.Field("last", c.last, "The message ends with that line.");
}

void Visit(config::Visitor& v, MultilineConfig& c) {
  v.Field("field", c.field, "Path of the line.").Check(FieldPathFault);
  v.Field("start_pattern", c.start_pattern, "A line in which it is found starts a message.");
  v.Field(
      "continuation_pattern", c.continuation_pattern,
      "A line in which it is found goes on with the message. Without it every line does that is "
      "no start.");
  v.Field("continued_pattern", c.continued_pattern,
          "A line in which it is found (such as \\\\$) is continued by the next one.");
  v.Field("end_pattern", c.end_pattern, "A line in which it is found ends the message.");
  v.Field("presets", c.presets, "Stack traces of: java, python, go, ruby, php, dotnet, javascript.")
      .Check([](const std::vector<std::string>& names) {
        for (const std::string& name : names)
          if (LineRules::Preset(name) == nullptr)
            return "no preset \"" + name + "\"" + DidYouMean(name, LineRules::Presets());
        return std::string();
      });
  v.Field("rules", c.rules, "A state machine of your own instead of patterns or presets.");
  v.Field("group_by", c.group_by,
          "Paths of fields by whose values lines of one stream are told apart, such as `stream` or "
          "`message_key`.")
      .Check([](const std::vector<std::string>& paths) {
        for (const std::string& path : paths)
          if (std::string why = FieldPathFault(path); !why.empty()) return why;
        return std::string();
      });
  v.Field("separator", c.separator, "Stands between the lines of a message.");
  v.Field("timeout_ms", c.timeout_ms, "A message to which nothing came for so long is complete.")
      .Range(1, 3'600'000);
  v.Field("max_lines", c.max_lines, "A message with more lines is cut into several.")
      .Range(1, 1'000'000);
  v.Field("max_bytes", c.max_bytes, "A larger message is cut into several, between lines.")
      .Range(1, 1 << 30);
  if (v.describing()) return;
  const bool patterns =
      !c.start_pattern.empty() || !c.continuation_pattern.empty() || !c.end_pattern.empty();
  const int ways = (patterns ? 1 : 0) + (!c.continued_pattern.empty() ? 1 : 0) +
                   (!c.presets.empty() ? 1 : 0) + (!c.rules.empty() ? 1 : 0);
  if (ways != 1) {
    v.Complain("", ways == 0 ? "needs patterns, presets or rules"
                             : "patterns, continued_pattern, presets and rules exclude each other");
  } else if (const auto made = LineRules::Make(RulesOf(c)); !made) {
    v.Complain("", made.error().message);
  }
}

Result<std::unique_ptr<Transform>> MakeMultiline(const MultilineConfig& c, const Context& context) {
  Joiner::Options options;
  MILLRACE_ASSIGN(options.field, Path::Parse(c.field));
  for (const std::string& text : c.group_by) {
    MILLRACE_ASSIGN(Path path, Path::Parse(text));
    options.group_by.push_back(std::move(path));
  }
  options.separator = c.separator;
  options.timeout = std::chrono::milliseconds(c.timeout_ms);
  options.max_lines = c.max_lines;
  options.max_bytes = c.max_bytes.value;
  MILLRACE_ASSIGN(auto rules, LineRules::Make(RulesOf(c)));
  return std::make_unique<Joiner>(std::move(options), std::move(rules), context.metrics);
}

}  // namespace millrace::agent
