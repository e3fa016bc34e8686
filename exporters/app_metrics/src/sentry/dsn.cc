#include "exporters/app_metrics/src/sentry/dsn.h"

#include "common/base/strings.h"

namespace millrace::app_metrics::sentry {

Result<Dsn> ParseDsn(std::string_view text) {
  const auto bad = [](const char* what) {
    return Fail(ErrorCode::kInvalidArgument,
                std::string("DSN ") + what + "; it looks like https://key@host/project");
  };
  text = Trim(text);
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return bad("has blanks inside");
  const auto colon = text.find("://");
  const std::string_view scheme = text.substr(0, colon);
  if (colon == std::string_view::npos || (scheme != "http" && scheme != "https"))
    return bad("does not begin with http:// or https://");
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find_first_of("?#"));
  const auto at = rest.find('@');
  if (at == std::string_view::npos) return bad("has no key");
  std::string_view key = rest.substr(0, at);
  key = key.substr(0, key.find(':'));  // old DSNs have a secret key behind
  rest.remove_prefix(at + 1);
  while (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  const auto slash = rest.rfind('/');
  if (key.empty()) return bad("has no key");
  if (slash == std::string_view::npos || slash == 0) return bad("has no project");
  const std::string_view project = rest.substr(slash + 1);
  const std::string_view base = rest.substr(0, slash);  // host, port and path
  Dsn dsn;
  dsn.public_key = key;
  dsn.envelope_url.append(scheme).append("://").append(base).append("/api/");
  dsn.envelope_url.append(project).append("/envelope/");
  return dsn;
}

}  // namespace millrace::app_metrics::sentry
