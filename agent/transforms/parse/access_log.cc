#include "agent/transforms/parse/access_log.h"

#include "agent/decode/error_log.h"
#include "agent/transforms/parse/zone_option.h"

namespace millrace::agent {
namespace {

AccessFormat FormatOf(NginxFormat format) {
  switch (format) {
    case NginxFormat::kMain:
      return AccessFormat::kNginxMain;
    case NginxFormat::kIngress:
      return AccessFormat::kNginxIngress;
    case NginxFormat::kCombined:
    case NginxFormat::kError:
      break;
  }
  return AccessFormat::kNginxCombined;
}

}  // namespace

void Visit(config::Visitor& v, NginxConfig& c) {
  VisitParser(v, c.parser);
  v.Field("format", c.format, "The `log_format` of the access log, or `error` for the error log.");
  VisitZone(v, c.timezone);
}

Result<std::unique_ptr<Transform>> MakeNginx(const NginxConfig& c, const Context& context) {
  MILLRACE_ASSIGN(auto zone, time::Zone::Load(c.timezone));
  if (c.format == NginxFormat::kError)
    return MakeParser(std::make_shared<NginxErrorDecoder>(std::move(zone)), c.parser, context);
  return MakeParser(std::make_shared<AccessLogDecoder>(FormatOf(c.format)), c.parser, context);
}

void Visit(config::Visitor& v, ApacheConfig& c) {
  VisitParser(v, c.parser);
  v.Field("format", c.format, "The `LogFormat` of the access log, or `error` for the error log.");
  VisitZone(v, c.timezone);
}

Result<std::unique_ptr<Transform>> MakeApache(const ApacheConfig& c, const Context& context) {
  MILLRACE_ASSIGN(auto zone, time::Zone::Load(c.timezone));
  if (c.format == ApacheFormat::kError)
    return MakeParser(std::make_shared<ApacheErrorDecoder>(std::move(zone)), c.parser, context);
  const AccessFormat format =
      c.format == ApacheFormat::kCommon ? AccessFormat::kCommon : AccessFormat::kCombined;
  return MakeParser(std::make_shared<AccessLogDecoder>(format), c.parser, context);
}

}  // namespace millrace::agent
