#include <algorithm>
#include <array>

#include "common/base/fd.h"
#include "common/base/strings.h"
#include "exporters/uptime_probe/cel/program.h"
#include "exporters/uptime_probe/http/client.h"
#include "exporters/uptime_probe/probers/address.h"
#include "exporters/uptime_probe/probers/probers.h"
#include "exporters/uptime_probe/probers/tls_metrics.h"

namespace millrace::uptime_probe {
namespace {

constexpr std::string_view kDuration = "probe_http_duration_seconds";
constexpr std::string_view kByRegex = "probe_failed_due_to_regex";
constexpr std::string_view kByCel = "probe_failed_due_to_cel";

/// What the original sends. Firewalls and log filters know it, so it stays; `headers` can change
/// it.
constexpr std::string_view kUserAgent = "Blackbox-Exporter/0.28.0";

/// Bodies that an expression looks at are kept in memory up to here; others are only counted.
constexpr std::size_t kMostBody = std::size_t{64} << 20;

/// Reads a body to its end and counts it.
class BodyCounter {
 public:
  explicit BodyCounter(std::unique_ptr<web::BodyReader> body) : body_(std::move(body)) {}
  Result<std::string> ReadAll() {
    std::string all;
    for (;;) {
      MILLRACE_ASSIGN(const std::size_t n, Read());
      if (n == 0) return all;
      if (all.size() + n > kMostBody)
        return Fail(ErrorCode::kResourceExhausted, "body is too long to be matched");
      all.append(buffer_.data(), n);
    }
  }
  Status Discard() {
    for (;;) {
      MILLRACE_ASSIGN(const std::size_t n, Read());
      if (n == 0) return {};
    }
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  Result<std::size_t> Read() {
    MILLRACE_ASSIGN(const std::size_t n, body_->Read(buffer_.data(), buffer_.size()));
    count_ += n;
    return n;
  }
  std::unique_ptr<web::BodyReader> body_;
  std::array<char, 32768> buffer_;
  std::uint64_t count_ = 0;
};

class HttpProber {
 public:
  explicit HttpProber(ProbeContext& context)
      : context_(context), c_(context.module.http), m_(context.metrics) {}

  bool Run();

 private:
  void Declare();
  bool MakeRequest(web::Request& request, std::string& server_name);
  bool Judge(web::ClientResult& result);
  bool JudgeStatus(int status);
  bool JudgeHeaders(const web::Headers& headers);
  bool JudgeBody(const std::string& body);
  bool JudgeJson(const std::string& body);
  bool ReadBody(web::ClientResult& result, bool success);
  bool JudgeVersion(const std::string& protocol);
  void AddPhases(const std::vector<web::Trace>& traces);

  ProbeContext& context_;
  const HttpProbe& c_;
  MetricSet& m_;
};

void HttpProber::Declare() {
  m_.DeclareVector(kDuration, "Duration of http request by phase, summed over all redirects");
  m_.Declare("probe_http_content_length", "Length of http content response");
  m_.Declare("probe_http_uncompressed_body_length", "Length of uncompressed response body");
  m_.Declare("probe_http_redirects", "The number of redirects");
  m_.Declare("probe_http_ssl", "Indicates if SSL was used for the final redirect");
  m_.Declare("probe_http_status_code", "Response HTTP status code");
  m_.Declare("probe_http_version", "Returns the version of HTTP of the probe response");
  m_.Declare(kByRegex, "Indicates if probe failed due to regex");
  if (c_.fail_if_body_json_matches_cel || c_.fail_if_body_json_not_matches_cel)
    m_.Declare(kByCel, "Indicates if probe failed due to CEL expression not matching");
}

bool HttpProber::MakeRequest(web::Request& request, std::string& server_name) {
  const std::string& target = context_.target;
  auto url = web::Url::Parse(target.starts_with("http://") || target.starts_with("https://")
                                 ? target
                                 : "http://" + target);
  if (!url) return context_.FailWith("config", "Could not parse target URL", url.error());
  request.url = std::move(*url);
  request.url.fragment.clear();
  request.host = request.url.host;
  const std::string host = request.url.HostName();
  if (!c_.skip_resolve_phase_with_proxy || !c_.proxy.Set()) {
    double lookup = 0;
    const auto chosen =
        ChooseAddress(context_, c_.preferred_ip_protocol, c_.ip_protocol_fallback, host, &lookup);
    m_.Add(kDuration, {{"phase", "resolve"}}, lookup);
    if (!chosen) return context_.FailWith("dns", "Error resolving address");
    const std::string port = request.url.Port();
    const std::string address = chosen->ip.Text();
    request.url.host = !port.empty()   ? JoinHostPort(address, port)
                       : chosen->ip.v6 ? "[" + address + "]"
                                       : address;
  }
  server_name = c_.tls_config.server_name;
  if (server_name.empty()) server_name = host;
  request.method = c_.method.empty() ? "GET" : c_.method;
  if (!web::IsToken(request.method))
    return context_.FailWith("config", "Error creating request", {{"err", "invalid method"}});
  for (const auto& [name, value] : c_.headers) {
    if (EqualsIgnoreCase(name, "host")) {
      request.host = value;
      if (c_.tls_config.server_name.empty()) server_name = value;
    } else {
      request.headers.Set(name, value);
    }
  }
  if (!request.headers.Has("User-Agent")) request.headers.Set("User-Agent", kUserAgent);
  for (const auto& [name, values] : c_.http_headers) {
    for (const auto& value : values.values) request.headers.Add(name, value);
    for (const auto& value : values.secrets) request.headers.Add(name, value.value);
    for (const auto& file : values.files) {
      auto text = ReadFile(file, 1 << 20);
      if (!text)
        return context_.FailWith("config", "Cannot read a file of http_headers", text.error());
      request.headers.Add(name, Trim(*text));
    }
  }
  for (const auto& [name, value] : request.headers.list())
    if (!web::IsToken(name) || value.find_first_of("\r\n") != std::string::npos)
      return context_.FailWith("config", "Error creating request",
                               {{"err", "invalid header field"}});
  request.body = c_.body;
  if (!c_.body_file.empty()) {
    auto text = ReadFile(c_.body_file);
    if (!text) return context_.FailWith("config", "Error creating request", text.error());
    request.body = std::move(*text);
  }
  return true;
}

bool HttpProber::JudgeStatus(int status) {
  if (c_.valid_status_codes.empty()) {
    if (status >= 200 && status < 300) return true;
    return context_.FailWith("status", "Invalid HTTP response status code, wanted 2xx",
                             {{"status_code", status}});
  }
  if (std::find(c_.valid_status_codes.begin(), c_.valid_status_codes.end(), status) !=
      c_.valid_status_codes.end())
    return true;
  return context_.FailWith("status", "Invalid HTTP response status code",
                           {{"status_code", status}});
}

bool HttpProber::JudgeHeaders(const web::Headers& headers) {
  const auto missing = [this](const HeaderMatch& m) {
    return m.allow_missing ||
           context_.FailWith("header", "Missing required header", {{"header", m.header}});
  };
  for (const HeaderMatch& m : c_.fail_if_header_matches) {
    const auto values = headers.All(m.header);
    if (values.empty() && !missing(m)) return false;
    for (const auto value : values)
      if (m.regexp.Matches(value))
        return context_.FailWith("header", "Header matched regular expression",
                                 {{"header", m.header}, {"regexp", m.regexp.pattern()}});
  }
  for (const HeaderMatch& m : c_.fail_if_header_not_matches) {
    const auto values = headers.All(m.header);
    if (values.empty()) {
      if (!missing(m)) return false;
      continue;
    }
    if (std::none_of(values.begin(), values.end(), [&m](auto v) { return m.regexp.Matches(v); }))
      return context_.FailWith("header", "Header did not match regular expression",
                               {{"header", m.header}, {"regexp", m.regexp.pattern()}});
  }
  return true;
}

bool HttpProber::JudgeBody(const std::string& body) {
  for (const Regexp& r : c_.fail_if_body_matches_regexp)
    if (r.Matches(body))
      return context_.FailWith("body", "Body matched regular expression",
                               {{"regexp", r.pattern()}});
  for (const Regexp& r : c_.fail_if_body_not_matches_regexp)
    if (!r.Matches(body))
      return context_.FailWith("body", "Body did not match regular expression",
                               {{"regexp", r.pattern()}});
  return true;
}

bool HttpProber::JudgeJson(const std::string& body) {
  auto json = cel::FromJson(body);
  if (!json) return context_.FailWith("body", "Error reading the body as JSON", json.error());
  const auto evaluate = [&](const CelExpression& e, bool wanted) -> bool {
    auto value = e.program->Evaluate(*json, context_.deadline);
    if (!value) return context_.FailWith("body", "Error evaluating CEL expression", value.error());
    const bool* truth = value->As<bool>();
    if (truth == nullptr)
      return context_.FailWith("body", "CEL evaluation result is not a boolean",
                               {{"type", value->Type()}});
    if (*truth == wanted) return true;
    return context_.FailWith(
        "body", wanted ? "Body did not match CEL expression" : "Body matched CEL expression",
        {{"expression", e.text}});
  };
  return (!c_.fail_if_body_json_matches_cel ||
          evaluate(*c_.fail_if_body_json_matches_cel, false)) &&
         (!c_.fail_if_body_json_not_matches_cel ||
          evaluate(*c_.fail_if_body_json_not_matches_cel, true));
}

bool HttpProber::ReadBody(web::ClientResult& result, bool success) {
  std::unique_ptr<web::BodyReader> body = std::move(result.response->body);
  // The body of a redirect that is not followed is not asked for.
  const bool closed = result.refused_redirect;
  if (!c_.compression.empty()) {
    if (closed && EqualsIgnoreCase(c_.compression, "gzip")) {
      success = context_.FailWith("body", "Failed to get decompressor for HTTP response body");
    } else {
      auto decoder = web::MakeDecoder(c_.compression, body);
      if (decoder) {
        body = std::move(*decoder);
      } else {
        success = context_.FailWith("body", "Failed to get decompressor for HTTP response body",
                                    decoder.error());
      }
    }
  }
  if (c_.body_size_limit.value > 0)
    body = web::MakeLimitedBody(std::move(body), c_.body_size_limit.value);
  const bool regexps =
      !c_.fail_if_body_matches_regexp.empty() || !c_.fail_if_body_not_matches_regexp.empty();
  const bool cel = c_.fail_if_body_json_matches_cel || c_.fail_if_body_json_not_matches_cel;
  BodyCounter counter(std::move(body));
  Result<std::string> text = std::string();
  if (success && (regexps || cel)) {
    if (closed)
      text = Fail(ErrorCode::kUnavailable, "the body of a redirect is not read");
    else
      text = counter.ReadAll();
  }
  if (success && regexps) {
    success = text ? JudgeBody(*text)
                   : context_.FailWith("body", "Error reading HTTP body", text.error());
    m_.Set(kByRegex, success ? 0 : 1);
  }
  if (success && cel) {
    // The original has used the body up when both kinds of rule are set; here both see it.
    success = text ? JudgeJson(*text)
                   : context_.FailWith("body", "Error reading HTTP body", text.error());
    m_.Set(kByCel, success ? 0 : 1);
  }
  if (!closed) {
    if (auto rest = counter.Discard(); !rest)
      success = context_.FailWith(
          rest.error().code == ErrorCode::kResourceExhausted ? "body_size" : "body",
          "Failed to read HTTP response body", rest.error());
    m_.Set("probe_http_uncompressed_body_length", static_cast<double>(counter.count()));
  }
  return success;
}

bool HttpProber::JudgeVersion(const std::string& protocol) {
  m_.Set("probe_http_version",
         ParseNumber<double>(std::string_view(protocol).substr(5)).value_or(0));
  const auto& valid = c_.valid_http_versions;
  if (valid.empty() || std::find(valid.begin(), valid.end(), protocol) != valid.end()) return true;
  return context_.FailWith("version", "Invalid HTTP version number", {{"version", protocol}});
}

bool HttpProber::Judge(web::ClientResult& result) {
  web::Response& r = *result.response;
  context_.log.Debug("Received HTTP response", {{"status_code", r.status}});
  bool success = JudgeStatus(r.status);
  if (success && (!c_.fail_if_header_matches.empty() || !c_.fail_if_header_not_matches.empty())) {
    success = JudgeHeaders(r.headers);
    m_.Set(kByRegex, success ? 0 : 1);
  }
  success = ReadBody(result, success);
  result.traces.back().end = Clock::now();
  std::int64_t modified = 0;
  if (web::ParseHttpDate(r.headers.Get("Last-Modified"), modified)) {
    m_.Declare("probe_http_last_modified_timestamp_seconds",
               "Returns the Last-Modified HTTP response header in unixtime");
    m_.Set("probe_http_last_modified_timestamp_seconds", static_cast<double>(modified));
  }
  return JudgeVersion(r.protocol) && success;
}

void HttpProber::AddPhases(const std::vector<web::Trace>& traces) {
  const auto add = [this](const char* phase, Clock::time_point from, Clock::time_point to) {
    m_.Add(kDuration, {{"phase", phase}}, SecondsBetween(from, to));
  };
  constexpr Clock::time_point kNever{};
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const web::Trace& t = traces[i];
    // The lookup of the first request was measured before it.
    if (i != 0 && t.dns_done != kNever) add("resolve", t.start, t.dns_done);
    if (t.got_connection == kNever) continue;
    if (t.tls) {
      add("connect", t.dns_done, t.connect_done);
      add("tls", t.tls_start, t.tls_done);
    } else {
      add("connect", t.dns_done, t.got_connection);
    }
    if (t.response_start == kNever) continue;
    add("processing", t.got_connection, t.response_start);
    if (t.end != kNever) add("transfer", t.response_start, t.end);
  }
}

bool HttpProber::Run() {
  Declare();
  web::Request request;
  web::ClientOptions options;
  options.config = &c_;
  options.transport.deadline = context_.deadline;
  options.transport.tls = &c_.tls_config;
  options.transport.http2 = c_.enable_http2;
  options.transport.proxy = &c_.proxy;
  options.transport.refuse_internal = context_.options.refuse_internal_targets;
  if (!MakeRequest(request, options.transport.server_name)) return false;
  const TlsConfig& tls = c_.tls_config;
  if (!tls.ca_file.empty() || !tls.cert_file.empty() || !tls.ca.empty() || !tls.cert.empty() ||
      !tls.ca_ref.empty() || !tls.cert_ref.empty()) {
    if (auto made = TlsContext::Get(tls); !made)
      return context_.FailWith("config", "Error generating HTTP client", made.error());
  }
  for (const char* phase : {"connect", "tls", "processing", "transfer"})
    m_.Add(kDuration, {{"phase", phase}}, 0);
  if (c_.enable_http3)
    return context_.FailWith("unsupported", "HTTP/3 is not supported by this program");

  web::ClientResult result = web::Fetch(std::move(request), options, context_.log);
  bool success = false;
  if (result.response) {
    success = Judge(result);
  } else {
    context_.FailWith(result.traces.back().reason, "Error for HTTP request",
                      result.response.error());
  }
  AddPhases(result.traces);
  AddMoreTlsMetrics(context_, result.tls);
  m_.Set("probe_http_redirects", result.redirects);
  if (!result.response) {
    if (c_.fail_if_not_ssl && success) success = false;
    return success;
  }
  const web::Response& r = *result.response;
  if (r.tls) {
    m_.Set("probe_http_ssl", 1);
    AddTlsMetrics(m_, result.tls, {.cipher = true, .last_chain = true});
    if (c_.fail_if_ssl) success = context_.FailWith("ssl", "Final request was over SSL");
  } else if (c_.fail_if_not_ssl && success) {
    success = context_.FailWith("ssl", "Final request was not over SSL");
  }
  m_.Set("probe_http_status_code", r.status);
  m_.Set("probe_http_content_length", static_cast<double>(r.content_length));
  return success;
}

}  // namespace

bool ProbeHttp(ProbeContext& context) { return HttpProber(context).Run(); }

}  // namespace millrace::uptime_probe
