// Stack traces as the runtimes of the languages print them.
#include <algorithm>

#include "agent/transforms/multiline/rules.h"

namespace millrace::agent {
namespace {

using Rules = std::vector<LineRules::Rule>;

struct Preset {
  std::string_view name;
  Rules rules;
};

const std::vector<Preset>& All() {
  static const std::vector<Preset> kPresets = {
      // "java.lang.X: text", "Caused by: ...", frames, "... 12 more", "Suppressed: ...". A trace
      // starts with a line that names an exception; its message may itself have several lines.
      {"java",
       {{{"start"},
         R"((?:[\w$]+\.)*[\w$]*(?:Exception|Error|Throwable|V8 errors stack trace)\b.*)",
         "head"},
        {{"head", "frames"}, R"(^[\t ]+(?:eval )?at )", "frames"},
        {{"head", "frames"}, R"(^[\t ]*nested exception is:[\t ]*)", "head"},
        {{"head", "frames"}, R"(^[\t ]*(?:Caused by|Suppressed):[\t ])", "frames"},
        {{"head", "frames"}, R"(^[\t ]+--- End of inner exception stack trace ---)", "frames"},
        {{"head", "frames"}, R"(^--- End of stack trace from previous location)", "frames"},
        {{"head", "frames"}, R"(^[\t ]*\.\.\. \d+ (?:more|common frames omitted))", "frames"},
        {{"head", "frames"},
         R"(^[\t ]+\S+.*\((?:[\w$]+\.java|Native Method|Unknown Source))",
         "frames"},
        {{"head"}, R"(^[\r\n]*$)", "head"}}},
      // Frames of two lines, File and code, then the error without indentation.
      {"python",
       {{{"start"},
         R"(^Traceback \(most recent call last\):$|Traceback \(most recent call last\):\s*$)",
         "trace"},
        {{"trace"}, R"(^[\t ]+)", "trace"},
        {{"trace"},
         R"(^(?:[\w.]+)(?:Error|Exception|Warning|Interrupt|Exit|Iteration|Group)?(?:: |$))",
         "error"},
        {{"trace"}, R"(^[\w.]+:)", "error"},
        {{"error"}, R"(^\s*$)", "between"},
        {{"error", "between"},
         R"(^(?:During handling of the above exception|The above exception was the direct cause))",
         "between"},
        {{"between"}, R"(^\s*$)", "between"},
        {{"between"}, R"(^Traceback \(most recent call last\):)", "trace"}}},
      {"go",
       {{{"start"}, R"(\bpanic: |^fatal error: |http: panic serving)", "head"},
        {{"head"}, R"(^\s*$)", "gap"},
        {{"head"}, R"(^\[signal |^[\t ]+panic: |^\[recovered\]|^panic: )", "head"},
        {{"head", "gap", "frames"}, R"(^goroutine \d+ \[[^\]]+\]:)", "frames"},
        {{"gap"}, R"(^(?:runtime stack:|\[signal ))", "frames"},
        {{"frames"},
         R"(^(?:[\w./*()\[\]{}-]+\.)+[^\s]*\(.*\)$|^created by |^panic\(|^main\.|^\s+\S)",
         "frames"},
        {{"frames"}, R"(^\s*$)", "gap"},
        {{"frames"}, R"(^exit status \d+$)", "frames"}}},
      {"ruby",
       {{{"start"}, R"(^.+:\d+:in [`'].*)", "trace"},
        {{"start"}, R"(\b(?:Error|Exception)\b.*:$)", "trace"},
        {{"trace"}, R"(^[\t ]+(?:from |\d+: from )?\S+:\d+:in )", "trace"},
        {{"trace"}, R"(^[\t ]+from )", "trace"}}},
      {"php",
       {{{"start"},
         R"(^(?:\[[^\]]+\] )?PHP (?:Fatal error|Parse error|Warning|Notice):.*|(?:Fatal error: )?Uncaught \S+)",
         "trace"},
        {{"trace"},
         R"(^(?:\[[^\]]+\] )?(?:PHP )?(?:Stack trace:|[\t ]*#?\d+\.? |[\t ]+thrown in |[\t ]+#\d+))",
         "trace"},
        {{"trace"}, R"(^Stack trace:|^\s*$)", "trace"}}},
      {"dotnet",
       {{{"start"}, R"((?:^|[\s:])(?:[\w`]+\.)*[\w`]*Exception\b)", "trace"},
        {{"trace"}, R"(^[\t ]+at )", "trace"},
        {{"trace"}, R"(^[\t ]*---> )", "trace"},
        {{"trace"}, R"(^[\t ]*--- End of )", "trace"}}},
      {"javascript",
       {{{"start"}, R"(^(?:Uncaught )?(?:\w+\.)*\w*(?:Error|Exception)\b)", "trace"},
        {{"trace"}, R"(^[\t ]+at )", "trace"},
        {{"trace"}, R"(^[\t ]+\[cause\]: |^[\t ]*[{}]|^[\t ]+\w+: )", "trace"}}},
  };
  return kPresets;
}

}  // namespace

const std::vector<LineRules::Rule>* LineRules::Preset(std::string_view name) {
  for (const auto& preset : All())
    if (preset.name == name) return &preset.rules;
  return nullptr;
}

std::vector<std::string_view> LineRules::Presets() {
  std::vector<std::string_view> names;
  for (const auto& preset : All()) names.push_back(preset.name);
  return names;
}

}  // namespace millrace::agent
