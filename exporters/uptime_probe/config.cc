#include "exporters/uptime_probe/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/cel/program.h"
#include "exporters/uptime_probe/dns/names.h"
#include "exporters/uptime_probe/http/headers.h"
#include "exporters/uptime_probe/http/url.h"
#include "exporters/uptime_probe/yaml_tree.h"

namespace millrace::config {
template <>
struct EnumNames<uptime_probe::TlsVersion> {
  static constexpr std::pair<uptime_probe::TlsVersion, std::string_view> kList[] = {
      {uptime_probe::TlsVersion::kTls10, "TLS10"},
      {uptime_probe::TlsVersion::kTls11, "TLS11"},
      {uptime_probe::TlsVersion::kTls12, "TLS12"},
      {uptime_probe::TlsVersion::kTls13, "TLS13"}};
};
}  // namespace millrace::config

namespace millrace::uptime_probe {

using config::Visitor;

std::string ReadYaml(const YAML::Node& n, GoDuration& v) {
  static constexpr const char* kWrong = "must be a duration such as 5s, 1.5s or 1m30s";
  if (!n.IsScalar()) return kWrong;
  const std::string& text = n.Scalar();
  // Days, weeks and years are Prometheus' units, not Go's. A bare number has no unit.
  if (text.find_first_of("dwy") != std::string::npos || ParseNumber<double>(text)) return kWrong;
  const auto parsed = config::ParseDuration(text);
  if (!parsed) return kWrong;
  v.value = *parsed;
  return {};
}

std::string ReadYaml(const YAML::Node& n, ByteLimit& v) {
  static constexpr const char* kWrong =
      "must be a number of bytes with a unit, such as 1MB or 512KiB";
  if (!n.IsScalar()) return kWrong;
  std::string_view text = n.Scalar();
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  if (text == "0") {
    v.value = 0;
    return {};
  }
  double total = 0;
  if (text.empty()) return kWrong;
  while (!text.empty()) {
    const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto number = ParseNumber<double>(text.substr(0, digits));
    text.remove_prefix(digits);
    const auto letters = std::min(text.find_first_of("0123456789."), text.size());
    const std::string_view unit = text.substr(0, letters);
    text.remove_prefix(letters);
    static constexpr std::string_view kScales = "KMGTPE";
    double scale = 0;
    if (unit == "B") {
      scale = 1;
    } else if (unit.size() >= 2 && (unit.substr(1) == "B" || unit.substr(1) == "iB") &&
               kScales.find(unit[0]) != std::string_view::npos) {
      scale = std::pow(1024.0, static_cast<double>(kScales.find(unit[0])) + 1);
    }
    if (!number || scale == 0) return kWrong;
    total += *number * scale;
  }
  constexpr double kMost = 9.2e18;
  // A negative limit is accepted and means "as good as none", as in the original.
  v.value = negative || total > kMost ? std::int64_t{9'200'000'000'000'000'000}
                                      : static_cast<std::int64_t>(total);
  return {};
}

std::string ReadYaml(const YAML::Node& n, CelExpression& v) {
  if (!n.IsScalar()) return "must be a string";
  v.text = n.Scalar();
  auto program = cel::Program::Compile(v.text);
  if (!program) return "cannot compile the CEL expression: " + program.error().message;
  v.program = std::make_shared<const cel::Program>(std::move(*program));
  return {};
}

namespace {

int CountSet(std::initializer_list<bool> set) {
  return static_cast<int>(std::count(set.begin(), set.end(), true));
}

std::string BadUrl(const std::string& text) {
  if (text.empty()) return {};
  auto url = web::Url::Parse(text);
  if (!url) return url.error().message;
  return {};
}

void VisitAddress(Visitor& v, std::string& protocol, bool& fallback) {
  v.Field("preferred_ip_protocol", protocol, "ip4 or ip6 (the default).");
  v.Field("ip_protocol_fallback", fallback, "Use the other protocol when there is no address.");
}

void VisitProxy(Visitor& v, ProxyConfig& c) {
  v.Field("proxy_url", c.proxy_url, "HTTP or SOCKS5 proxy.").Check(BadUrl);
  v.Field("no_proxy", c.no_proxy, "Hosts, domains and networks that are asked directly.");
  v.Field("proxy_from_environment", c.proxy_from_environment,
          "Use HTTP_PROXY, HTTPS_PROXY, NO_PROXY.");
  v.Field("proxy_connect_header", c.proxy_connect_header, "Headers of the CONNECT request.");
  if (!c.proxy_connect_header.empty() && !c.Set())
    v.Complain("proxy_connect_header", "needs proxy_url or proxy_from_environment");
  if (c.proxy_from_environment && !c.proxy_url.empty())
    v.Complain("proxy_from_environment", "cannot stand beside proxy_url");
  if (c.proxy_from_environment && !c.no_proxy.empty())
    v.Complain("no_proxy", "cannot stand beside proxy_from_environment");
  if (!c.proxy_from_environment && c.proxy_url.empty() && !c.no_proxy.empty())
    v.Complain("no_proxy", "needs proxy_url");
}

/// RFC 9110 12.5.3: does this Accept-Encoding leave room for `encoding`?
bool Accepts(std::string_view encoding, std::string_view accept) {
  if (encoding.empty() || accept.empty()) return true;
  struct Choice {
    std::string_view name;
    double quality;
  };
  std::vector<Choice> choices;
  for (std::string_view part : Split(accept, ',')) {
    const auto semicolon = part.rfind(';');
    Choice c{Trim(part.substr(0, semicolon)), 1};
    if (semicolon != std::string_view::npos) {
      std::string_view q = Trim(part.substr(semicolon + 1));
      if (q.starts_with("q=")) q.remove_prefix(2);
      c.quality = std::round(ParseNumber<double>(q).value_or(0) * 1000) / 1000;
    }
    choices.push_back(c);
  }
  std::stable_sort(choices.begin(), choices.end(),
                   [](const Choice& a, const Choice& b) { return a.quality > b.quality; });
  for (const Choice& c : choices)
    if (c.name == encoding || c.name == "*") return c.quality > 0;
  return false;
}

/// Headers that have a setting of their own or belong to the protocol.
bool ReservedHeader(std::string_view name) {
  static constexpr std::array<std::string_view, 18> kReserved = {
      "authorization",
      "host",
      "content-encoding",
      "content-length",
      "content-type",
      "user-agent",
      "connection",
      "keep-alive",
      "proxy-authenticate",
      "proxy-authorization",
      "www-authenticate",
      "accept-encoding",
      "x-prometheus-remote-write-version",
      "x-prometheus-remote-read-version",
      "x-prometheus-scrape-timeout-seconds",
      "x-amz-date",
      "x-amz-security-token",
      "x-amz-content-sha256"};
  const std::string lower = ToLower(name);
  return std::find(kReserved.begin(), kReserved.end(), lower) != kReserved.end();
}

}  // namespace

void Visit(Visitor& v, TlsConfig& c) {
  v.Field("ca", c.ca, "CA certificates, PEM.");
  v.Field("cert", c.cert, "Client certificate, PEM.");
  v.Field("key", c.key, "Key of the client certificate, PEM.");
  v.Field("ca_file", c.ca_file, "File of CA certificates; without it those of the system.");
  v.Field("cert_file", c.cert_file, "File of the client certificate.");
  v.Field("key_file", c.key_file, "File of its key.");
  v.Field("ca_ref", c.ca_ref, "Name in a secret manager; there is none, so the probe fails.");
  v.Field("cert_ref", c.cert_ref, "Name in a secret manager; there is none, so the probe fails.");
  v.Field("key_ref", c.key_ref, "Name in a secret manager; there is none, so the probe fails.");
  v.Field("server_name", c.server_name, "Name that is sent and verified instead of the target's.");
  v.Field("insecure_skip_verify", c.insecure_skip_verify, "Do not verify the certificate.");
  v.Field("min_version", c.min_version, "Least TLS version (TLS12).");
  v.Field("max_version", c.max_version, "Greatest TLS version.");
  if (CountSet({!c.ca.empty(), !c.ca_file.empty(), !c.ca_ref.empty()}) > 1)
    v.Complain("", "at most one of ca, ca_file and ca_ref may be set");
  const int certs = CountSet({!c.cert.empty(), !c.cert_file.empty(), !c.cert_ref.empty()});
  const int keys = CountSet({!c.key.empty(), !c.key_file.empty(), !c.key_ref.empty()});
  if (certs > 1) v.Complain("", "at most one of cert, cert_file and cert_ref may be set");
  if (keys > 1) v.Complain("", "at most one of key, key_file and key_ref may be set");
  if (certs > 0 && keys == 0) v.Complain("", "a client certificate needs key or key_file");
  if (keys > 0 && certs == 0) v.Complain("", "a client key needs cert or cert_file");
}

void Visit(Visitor& v, BasicAuth& c) {
  v.Field("username", c.username, "Name.");
  v.Field("username_file", c.username_file, "File with the name.");
  v.Field("username_ref", c.username_ref, "Name in a secret manager; there is none.");
  v.Field("password", c.password, "Password.");
  v.Field("password_file", c.password_file, "File with the password.");
  v.Field("password_ref", c.password_ref, "Name in a secret manager; there is none.");
  if (CountSet({!c.username.empty(), !c.username_file.empty(), !c.username_ref.empty()}) > 1)
    v.Complain("", "at most one of username, username_file and username_ref may be set");
  if (CountSet({!c.password.empty(), !c.password_file.empty(), !c.password_ref.empty()}) > 1)
    v.Complain("", "at most one of password, password_file and password_ref may be set");
}

void Visit(Visitor& v, Authorization& c) {
  v.Field("type", c.type, "Scheme, Bearer by default.");
  v.Field("credentials", c.credentials, "What follows the scheme.");
  v.Field("credentials_file", c.credentials_file, "File with the credentials.");
  v.Field("credentials_ref", c.credentials_ref, "Name in a secret manager; there is none.");
  c.type = std::string(Trim(c.type));
  if (c.type.empty()) c.type = "Bearer";
  if (EqualsIgnoreCase(c.type, "basic")) v.Complain("type", "use basic_auth for type basic");
  if (CountSet({!c.credentials.empty(), !c.credentials_file.empty(), !c.credentials_ref.empty()}) >
      1)
    v.Complain("", "at most one of credentials, credentials_file and credentials_ref may be set");
}

void Visit(Visitor& v, OAuth2& c) {
  v.Field("client_id", c.client_id, "Client identifier.").Required().NotEmpty();
  v.Field("client_secret", c.client_secret, "Client secret.");
  v.Field("client_secret_file", c.client_secret_file, "File with the secret.");
  v.Field("client_secret_ref", c.client_secret_ref, "Name in a secret manager; there is none.");
  v.Field("grant_type", c.grant_type, "client_credentials.").OneOf({"client_credentials"});
  v.Field("scopes", c.scopes, "Scopes to ask for.");
  v.Field("token_url", c.token_url, "Where tokens are given.").Required().NotEmpty().Check(BadUrl);
  v.Field("endpoint_params", c.endpoint_params, "Further parameters of the token request.");
  v.Field("tls_config", c.tls_config, "TLS towards the token endpoint.");
  VisitProxy(v, c.proxy);
  if (CountSet({!c.client_secret.empty(), !c.client_secret_file.empty(),
                !c.client_secret_ref.empty()}) > 1)
    v.Complain("",
               "at most one of client_secret, client_secret_file and client_secret_ref may be set");
}

void Visit(Visitor& v, HeaderValues& c) {
  v.Field("values", c.values, "Values.");
  v.Field("secrets", c.secrets, "Values that /config hides.");
  v.Field("files", c.files, "Files whose text is a value.");
}

void Visit(Visitor& v, HeaderMatch& c) {
  v.Field("header", c.header, "Name of the header.").Required().NotEmpty();
  v.Field("regexp", c.regexp, "What a value is compared with.")
      .Required()
      .Check([](const Regexp& r) {
        return r.pattern().empty() ? std::string("must not be empty") : std::string();
      });
  v.Field("allow_missing", c.allow_missing, "An absent header does not fail the probe.");
}

void Visit(Visitor& v, HttpProbe& c) {
  std::optional<bool> no_follow;
  config::Secret bearer_token;
  std::string bearer_token_file;
  v.Field("valid_status_codes", c.valid_status_codes, "Accepted status codes; 2xx by default.");
  v.Field("valid_http_versions", c.valid_http_versions, "Accepted versions, such as HTTP/1.1.");
  VisitAddress(v, c.preferred_ip_protocol, c.ip_protocol_fallback);
  v.Field("skip_resolve_phase_with_proxy", c.skip_resolve_phase_with_proxy,
          "Leave name resolution to the proxy.");
  v.Field("no_follow_redirects", no_follow, "Deprecated: the opposite of follow_redirects.");
  v.Field("fail_if_ssl", c.fail_if_ssl, "Fail when the final request used TLS.");
  v.Field("fail_if_not_ssl", c.fail_if_not_ssl, "Fail when the final request did not use TLS.");
  v.Field("method", c.method, "Request method, GET by default.");
  v.Field("headers", c.headers, "Request headers.");
  v.Field("fail_if_body_matches_regexp", c.fail_if_body_matches_regexp, "Fail when one matches.");
  v.Field("fail_if_body_not_matches_regexp", c.fail_if_body_not_matches_regexp,
          "Fail when one does not match.");
  v.Field("fail_if_body_json_matches_cel", c.fail_if_body_json_matches_cel,
          "Fail when the expression over the JSON body is true.");
  v.Field("fail_if_body_json_not_matches_cel", c.fail_if_body_json_not_matches_cel,
          "Fail when the expression over the JSON body is false.");
  v.Field("fail_if_header_matches", c.fail_if_header_matches, "Fail when a header matches.");
  v.Field("fail_if_header_not_matches", c.fail_if_header_not_matches,
          "Fail when no value of a header matches.");
  v.Field("body", c.body, "Request body.");
  v.Field("body_file", c.body_file, "File with the request body.");
  v.Field("basic_auth", c.basic_auth, "Basic authentication.");
  v.Field("authorization", c.authorization, "Authorization header.");
  v.Field("oauth2", c.oauth2, "OAuth 2.0 client credentials.");
  v.Field("bearer_token", bearer_token, "Short for authorization.credentials.");
  v.Field("bearer_token_file", bearer_token_file, "Short for authorization.credentials_file.");
  v.Field("tls_config", c.tls_config, "TLS.");
  v.Field("follow_redirects", c.follow_redirects, "Follow up to ten redirects.");
  v.Field("enable_http2", c.enable_http2, "Offer HTTP/2 over TLS.");
  VisitProxy(v, c.proxy);
  v.Field("http_headers", c.http_headers, "Request headers with several values or secrets.");
  v.Field("compression", c.compression, "What the body is decompressed with: gzip, deflate, br.");
  v.Field("body_size_limit", c.body_size_limit, "Longest body after decompression.");
  v.Field("enable_http3", c.enable_http3, "Accepted for the file's sake: such a probe fails.");
  if (v.describing()) return;

  const bool bearer = !bearer_token.empty() || !bearer_token_file.empty();
  if (!bearer_token.empty() && !bearer_token_file.empty())
    v.Complain("bearer_token_file", "cannot stand beside bearer_token");
  if (CountSet({c.basic_auth.has_value(), c.oauth2.has_value(), c.authorization.has_value(),
                bearer}) > 1)
    v.Complain("", "at most one of basic_auth, oauth2, authorization and bearer_token may be set");
  if (bearer && !c.authorization)
    c.authorization = Authorization{"Bearer", bearer_token, bearer_token_file, ""};
  if (no_follow) {
    c.follow_redirects = !*no_follow;
    c.warned_no_follow_redirects = true;
  }
  if (!c.body.empty() && !c.body_file.empty()) v.Complain("body_file", "cannot stand beside body");
  for (const auto& [name, value] : c.headers)
    if (EqualsIgnoreCase(name, "accept-encoding") && !Accepts(c.compression, value))
      v.Complain("headers", fmt::format("\"{}: {}\" contradicts \"compression: {}\"", name, value,
                                        c.compression));
  for (const auto& [name, values] : c.http_headers)
    if (ReservedHeader(name))
      v.Complain("http_headers", fmt::format("header \"{}\" cannot be set here", name));
  const auto lists = [&c](std::string_view version) {
    return std::find(c.valid_http_versions.begin(), c.valid_http_versions.end(), version) !=
           c.valid_http_versions.end();
  };
  if (!c.enable_http3 && lists("HTTP/3.0"))
    v.Complain("valid_http_versions", "HTTP/3.0 needs enable_http3");
  if (c.enable_http3 && (lists("HTTP/2.0") || lists("HTTP/1.1")))
    v.Complain("valid_http_versions", "only HTTP/3.0 can be listed with enable_http3");
  if (c.enable_http3 && c.enable_http2) v.Complain("enable_http3", "needs enable_http2: false");
}

void Visit(Visitor& v, Label& c) {
  v.Field("name", c.name, "Label of probe_expect_info.");
  v.Field("value", c.value, "Its value; ${1} is the first group of expect.");
}

void Visit(Visitor& v, QueryResponse& c) {
  v.Field("expect", c.expect, "A line must match.");
  v.Field("expect_bytes", c.expect_bytes, "These bytes must come.");
  v.Field("labels", c.labels, "Labels of probe_expect_info.");
  v.Field("send", c.send, "Line to send; ${1} is the first group of expect.");
  v.Field("starttls", c.starttls, "Continue over TLS.");
  if (c.expect && !c.expect_bytes.empty()) v.Complain("expect_bytes", "cannot stand beside expect");
}

void Visit(Visitor& v, TcpProbe& c) {
  VisitAddress(v, c.preferred_ip_protocol, c.ip_protocol_fallback);
  v.Field("source_ip_address", c.source_ip_address, "Address to connect from.");
  v.Field("query_response", c.query_response, "The dialogue.");
  v.Field("tls", c.tls, "Start with TLS.");
  v.Field("tls_config", c.tls_config, "TLS.");
}

void Visit(Visitor& v, UnixProbe& c) {
  v.Field("query_response", c.query_response, "The dialogue.");
  v.Field("tls", c.tls, "Start with TLS.");
  v.Field("tls_config", c.tls_config, "TLS.");
}

void Visit(Visitor& v, UdpProbe& c) {
  VisitAddress(v, c.preferred_ip_protocol, c.ip_protocol_fallback);
  v.Field("source_ip_address", c.source_ip_address, "Address to send from.");
  v.Field("send", c.send, "The datagram.");
  v.Field("expect", c.expect, "The answer must match.");
  v.Field("expect_bytes", c.expect_bytes, "The answer must begin with these bytes.");
  if (c.expect && !c.expect_bytes.empty()) v.Complain("expect_bytes", "cannot stand beside expect");
}

void Visit(Visitor& v, IcmpProbe& c) {
  VisitAddress(v, c.preferred_ip_protocol, c.ip_protocol_fallback);
  v.Field("source_ip_address", c.source_ip_address, "Address to send from.");
  v.Field("payload_size", c.payload_size, "Bytes of data.");
  v.Field("dont_fragment", c.dont_fragment, "Set the bit in the IPv4 header.");
  v.Field("ttl", c.ttl, "Time to live.").Range(0, 255);
  v.Field("count", c.count, "Additional: echo requests a probe.").Range(1, 1000);
  v.Field("interval", c.interval, "Additional: time between two requests.");
  v.Field("max_loss_ratio", c.max_loss_ratio, "Additional: more loss fails the probe.").Range(0, 1);
}

void Visit(Visitor& v, RrValidator& c) {
  v.Field("fail_if_matches_regexp", c.fail_if_matches, "Fail when a record matches one.");
  v.Field("fail_if_all_match_regexp", c.fail_if_all_match, "Fail unless every record matches.");
  v.Field("fail_if_not_matches_regexp", c.fail_if_not_matches, "Fail when a record misses one.");
  v.Field("fail_if_none_matches_regexp", c.fail_if_none_matches, "Fail when no record matches.");
}

void Visit(Visitor& v, DnsProbe& c) {
  VisitAddress(v, c.preferred_ip_protocol, c.ip_protocol_fallback);
  v.Field("dns_over_tls", c.dns_over_tls, "Ask over TLS.");
  v.Field("tls_config", c.tls_config, "TLS.");
  v.Field("source_ip_address", c.source_ip_address, "Address to ask from.");
  v.Field("transport_protocol", c.transport_protocol, "udp (the default) or tcp.");
  v.Field("query_class", c.query_class, "Class, IN by default.").Check([](const std::string& name) {
    return name.empty() || dns::ClassByName(name) ? std::string() : std::string("no such class");
  });
  v.Field("query_name", c.query_name, "Name to ask for.").Required().NotEmpty();
  v.Field("query_type", c.query_type, "Type, ANY by default.").Check([](const std::string& name) {
    return name.empty() || dns::TypeByName(name) ? std::string() : std::string("no such type");
  });
  v.Field("recursion_desired", c.recursion_desired, "Set the RD bit.");
  v.Field("valid_rcodes", c.valid_rcodes, "Accepted answers, NOERROR by default.");
  v.Field("validate_answer_rrs", c.validate_answer_rrs, "Rules for the answer section.");
  v.Field("validate_authority_rrs", c.validate_authority_rrs, "Rules for the authority section.");
  v.Field("validate_additional_rrs", c.validate_additional_rrs,
          "Rules for the additional section.");
}

void Visit(Visitor& v, GrpcProbe& c) {
  v.Field("service", c.service, "Service whose health is asked for.");
  v.Field("tls", c.tls, "Use TLS.");
  v.Field("tls_config", c.tls_config, "TLS.");
  VisitAddress(v, c.preferred_ip_protocol, c.ip_protocol_fallback);
  v.Field("metadata", c.metadata, "Request metadata.");
}

void Visit(Visitor& v, Module& c) {
  v.Field("prober", c.prober, "http, tcp, icmp, dns, grpc, unix or udp.");
  v.Field("timeout", c.timeout, "Longest time of a probe.");
  v.Field("http", c.http, "Prober http.");
  v.Field("tcp", c.tcp, "Prober tcp.");
  v.Field("icmp", c.icmp, "Prober icmp.");
  v.Field("dns", c.dns, "Prober dns.");
  v.Field("grpc", c.grpc, "Prober grpc.");
  v.Field("unix", c.unix_socket, "Prober unix.");
  v.Field("udp", c.udp, "Additional: prober udp.");
}

void Visit(Visitor& v, Config& c) { v.Field("modules", c.modules, "Modules by name."); }

Result<Config> ParseConfig(const std::string& text, const std::string& file) {
  MILLRACE_ASSIGN(const YAML::Node root, LoadYamlTree(text));
  config::Problems problems;
  Config c;
  {
    Visitor v(root, file, "", problems, {.null_is_absent = true, .quoted_is_string = true});
    Visit(v, c);
  }
  MILLRACE_TRY(problems.ToStatus());
  for (auto& [name, module] : c.modules) {
    if (module.http.warned_no_follow_redirects)
      c.warnings.push_back(
          fmt::format("module {}: no_follow_redirects is deprecated, use follow_redirects", name));
    if (module.http.enable_http3)
      c.warnings.push_back(fmt::format(
          "module {}: HTTP/3 is not supported, its probes fail with reason unsupported", name));
  }
  return c;
}

}  // namespace millrace::uptime_probe
