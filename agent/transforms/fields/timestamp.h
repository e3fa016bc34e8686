#pragma once
// Transforms `timestamp` (reads a time) and `convert` (changes types).
#include <map>
#include <string>
#include <vector>

#include "agent/transforms/parse/parser.h"

namespace millrace::agent {

struct TimestampConfig {
  std::string field;
  std::vector<std::string> formats = {"auto"};
  std::string timezone = "UTC";
  std::string target_field = "timestamp";
  bool drop_field = false;
  OnFailure on_failure = OnFailure::kKeep;
  std::string error_field = "_parse_error";
  [[nodiscard]] std::vector<std::string> OutputNames() const;
};
void Visit(config::Visitor& v, TimestampConfig& c);
Result<std::unique_ptr<Transform>> MakeTimestamp(const TimestampConfig& c, const Context& context);

struct ConvertConfig {
  std::map<std::string, std::string> fields;
  std::string timezone = "UTC";
  OnFailure on_failure = OnFailure::kKeep;
  std::string error_field = "_parse_error";
  [[nodiscard]] std::vector<std::string> OutputNames() const;
};
void Visit(config::Visitor& v, ConvertConfig& c);
Result<std::unique_ptr<Transform>> MakeConvert(const ConvertConfig& c, const Context& context);

}  // namespace millrace::agent
