#pragma once
// Values that a configuration gives, with the types that YAML gives them.
#include <string>

#include "agent/core/value.h"
#include "common/config/visitor.h"

namespace millrace::agent {

/// Plain scalars as YAML reads them (true, 12, 1.5, null), quoted ones as strings, lists and maps
/// as JSON. The text lives as long as the process.
[[nodiscard]] Value ConstantOf(const YAML::Node& node);

/// A path as a check for Rules::Check(): what is wrong with it, or "".
[[nodiscard]] std::string FieldPathFault(const std::string& text);

/// Checks every key of the mapping at `key` of the visitor's node as a path.
void CheckPathKeys(config::Visitor& v, const char* key);

}  // namespace millrace::agent
