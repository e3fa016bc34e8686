#pragma once
// Small JSON files that stand in for a kernel interface in tests (--collector.qdisc.fixtures,
// --collector.wifi.fixtures).
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace millrace::node {

/// Keys in lower case, values as text.
using JsonObject = std::map<std::string, std::string, std::less<>>;

/// A list of flat objects, or one of them.
[[nodiscard]] Result<std::vector<JsonObject>> ReadJsonObjects(const std::string& path);
/// "" without the key.
[[nodiscard]] std::string_view TextOf(const JsonObject& object, std::string_view key);
[[nodiscard]] double NumberOf(const JsonObject& object, std::string_view key);

}  // namespace millrace::node
