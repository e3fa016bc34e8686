#pragma once
// One value out of nested JSON that nobody has taken apart.
#include <string>
#include <string_view>

namespace millrace::agent {

/// Looks up the dotted `path` in the object `json` and appends the value as plain text (strings
/// unescaped). False if there is no such value or it is null, an object or an array. `scratch` is
/// reused memory. `json` need not be padded.
bool AppendJsonPath(std::string_view json, std::string_view path, std::string& scratch,
                    std::string& out);

}  // namespace millrace::agent
