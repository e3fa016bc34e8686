#pragma once
// YAML as Go's yaml.v3 reads it, on top of yaml-cpp: merge keys (<<), !!binary, refusal of repeated
// keys, only the first document of a stream. Environment variables are left alone: "${1}" is the
// first group of a regular expression in this program's files.
#include <string>

#include <yaml-cpp/yaml.h>

#include "common/base/result.h"

namespace millrace::uptime_probe {

/// kParse with "yaml: line N: ..." for faults of syntax, "EOF" for an empty text.
[[nodiscard]] Result<YAML::Node> LoadYamlTree(const std::string& text);

}  // namespace millrace::uptime_probe
