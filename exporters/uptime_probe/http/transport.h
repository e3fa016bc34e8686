#pragma once
// One HTTP request and its answer over a connection of its own: name lookup, proxy, TCP, TLS,
// HTTP/1.1 or HTTP/2. Not libcurl: see docs/uptime-probe.md, "Why its own HTTP client".
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "exporters/uptime_probe/config.h"
#include "exporters/uptime_probe/http/body.h"
#include "exporters/uptime_probe/http/headers.h"
#include "exporters/uptime_probe/http/url.h"
#include "exporters/uptime_probe/io/tls.h"

namespace millrace::uptime_probe::web {

/// When each phase of a request ended; the zero time for one that was not reached.
struct Trace {
  bool tls = false;
  Clock::time_point start{}, dns_done{}, connect_done{}, tls_start{}, tls_done{}, got_connection{},
      response_start{}, end{};
  /// Why the request failed: dns, connect, proxy, tls, certificate_..., http, refused_target.
  std::string_view reason;
};

struct Request {
  std::string method = "GET";
  Url url;
  std::string host;  ///< The Host header; "" = that of the URL.
  Headers headers;
  std::string body;
};

struct Response {
  int status = 0;
  std::string protocol;  ///< "HTTP/1.1", "HTTP/2.0"
  Headers headers;
  std::int64_t content_length = 0;  ///< -1 when the head does not say.
  bool tls = false;
  std::unique_ptr<BodyReader> body;
  std::shared_ptr<void> connection;  ///< What `body` reads from.
};

struct TransportOptions {
  Deadline deadline{};
  const TlsConfig* tls = nullptr;
  std::string server_name;  ///< Instead of the URL's host.
  bool http2 = true;
  const ProxyConfig* proxy = nullptr;
  bool refuse_internal = false;  ///< SSRF: see IsInternal.
};

/// `trace` and `info` are filled as far as it came, also on failure. The answer must be dropped
/// before `deadline` matters no more; its body obeys the deadline.
[[nodiscard]] Result<Response> RoundTrip(const Request& request, const TransportOptions& options,
                                         Trace& trace, TlsInfo& info);

/// The proxy for a URL, or "" for none.
[[nodiscard]] std::string ChooseProxy(const ProxyConfig& config, const Url& url);
/// Is this host exempt by a NO_PROXY list?
[[nodiscard]] bool BypassesProxy(std::string_view list, std::string_view host,
                                 std::string_view port);

/// Reads the head of an HTTP/1 answer, skips 1xx, and sets up the body.
[[nodiscard]] Result<Response> ReadHttp1Response(std::shared_ptr<BufferedStream> stream,
                                                 std::string_view method, Trace& trace);

}  // namespace millrace::uptime_probe::web
