#pragma once
// Requests with redirects, cookies and credentials, as the http prober sends them.
#include <string>
#include <vector>

#include "common/base/result.h"
#include "exporters/uptime_probe/config.h"
#include "exporters/uptime_probe/http/cookies.h"
#include "exporters/uptime_probe/http/transport.h"
#include "exporters/uptime_probe/prober.h"

namespace millrace::uptime_probe::web {

struct ClientOptions {
  const HttpProbe* config = nullptr;
  TransportOptions transport;
};

struct ClientResult {
  /// Without a value no answer came; the reason is in the last trace.
  Result<Response> response = Fail(ErrorCode::kInternal, "no request");
  /// The answer is a redirect that is not followed: its body must not be read.
  bool refused_redirect = false;
  int redirects = 0;
  std::vector<Trace> traces;  ///< One for each request.
  TlsInfo tls;                ///< Of the last request.
};

/// `request.url` may name an address instead of the target's name; `request.host` is then the name.
[[nodiscard]] ClientResult Fetch(Request request, const ClientOptions& options, ProbeLog& log);

/// The value of the Authorization header that the configuration asks for, or "". For OAuth 2.0
/// this asks for a token.
[[nodiscard]] Result<std::string> MakeAuthorization(const HttpProbe& config,
                                                    const TransportOptions& transport);
/// The first line that a secret's file holds, without blanks around it.
[[nodiscard]] Result<std::string> SecretText(const std::string& value, const std::string& file,
                                             const std::string& reference, const char* what);

}  // namespace millrace::uptime_probe::web
