#pragma once
// Transforms `logfmt`, `key_value`, `csv`, `syslog` and `regex`.
#include <map>
#include <string>
#include <vector>

#include "agent/transforms/parse/parser.h"

namespace millrace::agent {

struct LogfmtConfig {
  ParserOptions parser;
  bool infer_types = false;
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, LogfmtConfig& c);
Result<std::unique_ptr<Transform>> MakeLogfmt(const LogfmtConfig& c, const Context& context);

struct KeyValueConfig {
  ParserOptions parser;
  std::string field_delimiter = " ", key_value_delimiter = "=", whitespace = "lenient";
  bool accept_standalone_key = true, infer_types = false;
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, KeyValueConfig& c);
Result<std::unique_ptr<Transform>> MakeKeyValue(const KeyValueConfig& c, const Context& context);

struct CsvConfig {
  ParserOptions parser;
  std::string delimiter = ",";
  std::vector<std::string> columns;
  bool infer_types = false;
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, CsvConfig& c);
Result<std::unique_ptr<Transform>> MakeCsv(const CsvConfig& c, const Context& context);

struct SyslogConfig {
  ParserOptions parser;
  std::string timezone = "UTC";
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, SyslogConfig& c);
Result<std::unique_ptr<Transform>> MakeSyslog(const SyslogConfig& c, const Context& context);

struct RegexConfig {
  ParserOptions parser;
  std::vector<std::string> patterns;
  std::map<std::string, std::string> types;
  std::string timezone = "UTC";
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, RegexConfig& c);
Result<std::unique_ptr<Transform>> MakeRegex(const RegexConfig& c, const Context& context);

}  // namespace millrace::agent
