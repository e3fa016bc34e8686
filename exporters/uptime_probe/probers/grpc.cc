// grpc.health.v1.Health/Check over HTTP/2, by hand: the message has one string, the answer one
// enumeration (grpc/doc/PROTOCOL-HTTP2.md, grpc/doc/health-checking.md).
#include <array>

#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/http/http2.h"
#include "exporters/uptime_probe/http/url.h"
#include "exporters/uptime_probe/probers/address.h"
#include "exporters/uptime_probe/probers/probers.h"
#include "exporters/uptime_probe/probers/tls_metrics.h"

namespace millrace::uptime_probe {
namespace {

constexpr std::string_view kDuration = "probe_grpc_duration_seconds";
constexpr int kOk = 0, kUnknown = 2, kDeadlineExceeded = 4, kUnimplemented = 12, kUnavailable = 14,
              kInternal = 13, kPermissionDenied = 7, kUnauthenticated = 16;
constexpr std::array<std::string_view, 4> kServing = {"UNKNOWN", "SERVING", "NOT_SERVING",
                                                      "SERVICE_UNKNOWN"};

std::string Request(const std::string& service) {
  std::string message;
  if (!service.empty()) {
    message += '\x0a';  // field 1, length-delimited
    for (std::size_t n = service.size();; n >>= 7) {
      message += static_cast<char>((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
      if (n <= 0x7f) break;
    }
    message += service;
  }
  std::string frame(5, '\0');
  for (int i = 0; i < 4; ++i)
    frame[static_cast<std::size_t>(4 - i)] = static_cast<char>(message.size() >> (8 * i));
  return frame + message;
}

/// The `status` of a HealthCheckResponse in its frame, or -1.
int ServingStatus(std::string_view body) {
  if (body.size() < 5 || body[0] != 0) return -1;
  body.remove_prefix(5);
  int status = 0;
  while (!body.empty()) {
    const auto tag = static_cast<unsigned char>(body[0]);
    body.remove_prefix(1);
    std::uint64_t value = 0;
    std::size_t used = 0;
    for (bool more = true; more; ++used) {
      if (used >= body.size() || used > 9) return -1;
      value |= static_cast<std::uint64_t>(body[used] & 0x7f) << (7 * used);
      more = (static_cast<unsigned char>(body[used]) & 0x80) != 0;
    }
    body.remove_prefix(used);
    if ((tag & 7) == 2) {
      if (value > body.size()) return -1;
      body.remove_prefix(value);
    } else if ((tag & 7) != 0) {
      return -1;
    } else if (tag >> 3 == 1) {
      status = static_cast<int>(value);
    }
  }
  return status;
}

/// doc/http-grpc-status-mapping.md
int CodeOfHttpStatus(int status) {
  switch (status) {
    case 400:
      return kInternal;
    case 401:
      return kUnauthenticated;
    case 403:
      return kPermissionDenied;
    case 404:
      return kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return kUnavailable;
    default:
      return kUnknown;
  }
}

struct Outcome {
  int code = kUnavailable;
  int serving = -1;
  std::string message;
  std::string_view reason = "connect";
  bool tls = false;
};

int CodeOf(const Error& error) {
  return error.code == ErrorCode::kTimeout ? kDeadlineExceeded : kUnavailable;
}

Outcome Check(ProbeContext& context, const IpAddress& ip, const std::string& host,
              const std::string& port, TlsInfo& info) {
  const GrpcProbe& c = context.module.grpc;
  Outcome out;
  const auto fail = [&out](const Error& error) {
    out.code = CodeOf(error);
    out.message = error.message;
    if (error.code == ErrorCode::kTimeout) out.reason = "timeout";
    return out;
  };
  const auto number = ParsePort(port, "tcp");
  if (!number) return fail({ErrorCode::kInvalidArgument, "unknown port " + port});
  auto socket = ConnectTcp(ip, *number, nullptr, context.deadline);
  if (!socket) return fail(socket.error());
  std::unique_ptr<Stream> stream =
      std::make_unique<SocketStream>(std::move(*socket), context.deadline);
  if (c.tls) {
    out.reason = "tls";
    auto made = TlsContext::Get(c.tls_config);
    if (!made) return fail(made.error());
    const std::string& name = c.tls_config.server_name.empty() ? host : c.tls_config.server_name;
    auto tls = TlsStream::Connect(std::move(stream), **made, name, {"h2"}, info);
    AddMoreTlsMetrics(context, info);
    if (!tls) {
      if (!info.verify_failure.empty()) out.reason = info.verify_failure;
      return fail(tls.error());
    }
    if (info.alpn != "h2")
      return fail({ErrorCode::kUnavailable, "the server does not speak HTTP/2"});
    stream = std::move(*tls);
    out.tls = true;
  }
  out.reason = "http";
  web::Http2Exchange exchange(std::move(stream));
  const auto left = Remaining(context.deadline).count();
  web::Http2Exchange::Fields fields = {
      {":method", "POST"},
      {":scheme", c.tls ? "https" : "http"},
      {":path", "/grpc.health.v1.Health/Check"},
      {":authority", JoinHostPort(host, port)},
      {"content-type", "application/grpc"},
      {"user-agent", "millrace-uptime-probe"},
      {"te", "trailers"},
      {"grpc-timeout", fmt::format("{}m", std::min<std::int64_t>(left, 99'999'999))}};
  for (const auto& [name, values] : c.metadata)
    for (const auto& value : values)
      // Binary metadata travels in base64.
      fields.emplace_back(ToLower(name), name.ends_with("-bin") ? Base64Encode(value) : value);
  if (auto sent = exchange.Send(fields, Request(c.service)); !sent) return fail(sent.error());
  if (auto head = exchange.WaitHead(); !head) return fail(head.error());
  std::string body;
  std::array<char, 4096> buffer;
  for (;;) {
    auto n = exchange.Read(buffer.data(), buffer.size());
    if (!n) return fail(n.error());
    if (*n == 0) break;
    body.append(buffer.data(), *n);
    if (body.size() > 65536) return fail({ErrorCode::kResourceExhausted, "answer too long"});
  }
  // An answer without a body has its status in the head ("Trailers-Only").
  const web::Headers& last =
      exchange.trailers().Has("grpc-status") ? exchange.trailers() : exchange.headers();
  out.reason = "status";
  if (!last.Has("grpc-status")) {
    out.code = CodeOfHttpStatus(exchange.status());
    out.message = fmt::format("no grpc-status, HTTP status {}", exchange.status());
    return out;
  }
  out.code = ParseNumber<int>(last.Get("grpc-status")).value_or(kUnknown);
  out.message = web::PercentDecode(last.Get("grpc-message"));
  if (out.code == kOk) out.serving = ServingStatus(body);
  return out;
}

}  // namespace

bool ProbeGrpc(ProbeContext& context) {
  const GrpcProbe& c = context.module.grpc;
  MetricSet& m = context.metrics;
  m.DeclareVector(kDuration, "Duration of gRPC request by phase");
  m.Set(kDuration, {{"phase", "resolve"}}, 0);
  m.Declare("probe_grpc_ssl", "Indicates if SSL was used for the connection");
  m.Declare("probe_grpc_status_code", "Response gRPC status code");
  m.DeclareVector("probe_grpc_healthcheck_response", "Response HealthCheck response");

  const std::string& target = context.target;
  auto url = web::Url::Parse(target.starts_with("http://") || target.starts_with("https://")
                                 ? target
                                 : "http://" + target);
  if (!url) return context.FailWith("config", "Could not parse target URL", url.error());
  if (auto made = TlsContext::Get(c.tls_config); !made)
    return context.FailWith("config", "Error creating TLS configuration", made.error());
  const std::string host = url->HostName();
  const std::string port = url->Port().empty() ? (c.tls ? "443" : "80") : url->Port();
  const auto chosen = ChooseAddress(context, c.preferred_ip_protocol, c.ip_protocol_fallback, host);
  if (!chosen) return false;
  m.Add(kDuration, {{"phase", "resolve"}}, chosen->lookup_seconds);
  const auto start = Clock::now();
  TlsInfo info;
  const Outcome out = Check(context, chosen->ip, host, port, info);
  m.Add(kDuration, {{"phase", "check"}}, SecondsBetween(start, Clock::now()));
  for (std::size_t i = 0; i < kServing.size(); ++i)
    m.Set("probe_grpc_healthcheck_response", {{"serving_status", kServing[i]}},
          out.serving == static_cast<int>(i) ? 1 : 0);
  m.Set("probe_grpc_status_code", out.code);
  if (out.code == kOk && out.tls) {
    m.Set("probe_grpc_ssl", 1);
    AddTlsMetrics(m, info, {.cipher = false, .last_chain = false});
  }
  if (out.code == kOk && out.serving == 1) return true;
  const bool answered =
      out.code == kOk && out.serving >= 0 && out.serving < static_cast<int>(kServing.size());
  return context.FailWith(
      answered ? "not_serving" : out.reason, "gRPC health check failed",
      {{"code", out.code},
       {"serving", answered ? kServing[static_cast<std::size_t>(out.serving)] : ""},
       {"err", out.message}});
}

}  // namespace millrace::uptime_probe
