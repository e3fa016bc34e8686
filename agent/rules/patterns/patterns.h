#pragma once
// The texts of the pattern library, one constant a topic.
#include <span>
#include <string_view>

#include "agent/rules/grok/library.h"

namespace millrace::agent::patterns {

/// Common building blocks, then the lines of applications under the names asked for.
[[nodiscard]] std::span<const std::string_view> Texts(GrokNames names);

extern const std::string_view kBase;
extern const std::string_view kLegacyLines;
extern const std::string_view kEcsLines;

}  // namespace millrace::agent::patterns
