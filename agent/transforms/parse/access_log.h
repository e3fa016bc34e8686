#pragma once
// Transforms `nginx` and `apache`: access and error logs.
#include "agent/decode/access_log.h"
#include "agent/transforms/parse/parser.h"

namespace millrace::agent {

enum class NginxFormat : std::uint8_t { kCombined, kMain, kIngress, kError };
enum class ApacheFormat : std::uint8_t { kCombined, kCommon, kError };

struct NginxConfig {
  ParserOptions parser;
  NginxFormat format = NginxFormat::kCombined;
  std::string timezone = "UTC";
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, NginxConfig& c);
Result<std::unique_ptr<Transform>> MakeNginx(const NginxConfig& c, const Context& context);

struct ApacheConfig {
  ParserOptions parser;
  ApacheFormat format = ApacheFormat::kCombined;
  std::string timezone = "UTC";
  [[nodiscard]] std::vector<std::string> OutputNames() const { return parser.OutputNames(); }
};
void Visit(config::Visitor& v, ApacheConfig& c);
Result<std::unique_ptr<Transform>> MakeApache(const ApacheConfig& c, const Context& context);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::NginxFormat> {
  using enum millrace::agent::NginxFormat;
  static constexpr std::pair<millrace::agent::NginxFormat, std::string_view> kList[] = {
      {kCombined, "combined"},
      {kMain, "main"},
      {kIngress, "ingress_upstreaminfo"},
      {kError, "error"}};
};
template <>
struct millrace::config::EnumNames<millrace::agent::ApacheFormat> {
  using enum millrace::agent::ApacheFormat;
  static constexpr std::pair<millrace::agent::ApacheFormat, std::string_view> kList[] = {
      {kCombined, "combined"}, {kCommon, "common"}, {kError, "error"}};
};
