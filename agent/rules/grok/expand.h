#pragma once
// Grok expression -> one PCRE2 pattern and what its groups are for.
#include <string>
#include <string_view>
#include <vector>

#include "agent/rules/grok/library.h"

namespace millrace::agent::grok {

struct Capture {
  std::string group;  ///< Name of the group in `pattern`: g0, g1, ...
  std::string field;  ///< As written: "status", "[http][status]".
  std::string type;   ///< As written behind the field: "int", "float" or empty.
};

struct Expanded {
  std::string pattern;
  std::vector<Capture> captures;
};

/// Puts library patterns in for %{NAME}, %{NAME:field}, %{NAME:field:type} and turns what
/// Oniguruma, the engine of Logstash, reads differently (\h, classes within classes) into what
/// means the same to PCRE2. kInvalidArgument for an unknown name or one that needs itself.
[[nodiscard]] Result<Expanded> Expand(std::string_view expression, const PatternLibrary& library);

}  // namespace millrace::agent::grok
