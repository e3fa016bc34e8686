#include "agent/transforms/parse/access_log.h"

namespace millrace::agent {
namespace {

AccessFormat FormatOf(NginxFormat format) {
  switch (format) {
    case NginxFormat::kCombined:
      return AccessFormat::kNginxCombined;
    case NginxFormat::kMain:
      return AccessFormat::kNginxMain;
    case NginxFormat::kIngress:
      return AccessFormat::kNginxIngress;
  }
  return AccessFormat::kNginxCombined;
}

}  // namespace

void Visit(config::Visitor& v, NginxConfig& c) {
  VisitParser(v, c.parser);
  v.Field("format", c.format, "The `log_format` of the access log.");
}

Result<std::unique_ptr<Transform>> MakeNginx(const NginxConfig& c, const Context& context) {
  return MakeParser(std::make_shared<AccessLogDecoder>(FormatOf(c.format)), c.parser, context);
}

void Visit(config::Visitor& v, ApacheConfig& c) {
  VisitParser(v, c.parser);
  v.Field("format", c.format, "The `LogFormat` of the access log.");
}

Result<std::unique_ptr<Transform>> MakeApache(const ApacheConfig& c, const Context& context) {
  const AccessFormat format =
      c.format == ApacheFormat::kCommon ? AccessFormat::kCommon : AccessFormat::kCombined;
  return MakeParser(std::make_shared<AccessLogDecoder>(format), c.parser, context);
}

}  // namespace millrace::agent
