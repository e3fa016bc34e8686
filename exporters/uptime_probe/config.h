#pragma once
// The configuration file: modules, as blackbox_exporter 0.28.0 defines them. Every key of the
// original is here with its default; the keys after "additional" are ours and default to off.
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/config/visitor.h"
#include "exporters/uptime_probe/regexp.h"

namespace millrace::uptime_probe {

namespace cel {
class Program;
}

/// A length of time as Go's time.ParseDuration reads it; negative is allowed, "1d" is not.
struct GoDuration {
  std::chrono::nanoseconds value{};
};
/// Bytes with a unit, of 1024: "1KB" = "1KiB" = 1024. A bare number is refused. 0 = no limit.
struct ByteLimit {
  std::int64_t value = 0;
};
/// A compiled CEL expression over `body`; see cel/program.h for what is supported.
struct CelExpression {
  std::string text;
  std::shared_ptr<const cel::Program> program;
};

enum class TlsVersion : unsigned char { kUnset, kTls10, kTls11, kTls12, kTls13 };

struct TlsConfig {
  std::string ca, cert;
  config::Secret key;
  std::string ca_file, cert_file, key_file, ca_ref, cert_ref, key_ref;
  std::string server_name;
  bool insecure_skip_verify = false;
  TlsVersion min_version = TlsVersion::kUnset, max_version = TlsVersion::kUnset;
};

struct BasicAuth {
  std::string username, username_file, username_ref;
  config::Secret password;
  std::string password_file, password_ref;
};

struct Authorization {
  std::string type;
  config::Secret credentials;
  std::string credentials_file, credentials_ref;
};

struct ProxyConfig {
  std::string proxy_url, no_proxy;
  bool proxy_from_environment = false;
  std::map<std::string, std::vector<config::Secret>> proxy_connect_header;
  [[nodiscard]] bool Set() const { return !proxy_url.empty() || proxy_from_environment; }
};

struct OAuth2 {
  std::string client_id;
  config::Secret client_secret;
  std::string client_secret_file, client_secret_ref;
  std::string grant_type;
  std::vector<std::string> scopes;
  std::string token_url;
  std::map<std::string, std::string> endpoint_params;
  TlsConfig tls_config;
  ProxyConfig proxy;
};

struct HeaderValues {
  std::vector<std::string> values;
  std::vector<config::Secret> secrets;
  std::vector<std::string> files;
};

struct HeaderMatch {
  std::string header;
  Regexp regexp;
  bool allow_missing = false;
};

struct HttpProbe {
  std::vector<int> valid_status_codes;
  std::vector<std::string> valid_http_versions;
  std::string preferred_ip_protocol;
  bool ip_protocol_fallback = true;
  bool skip_resolve_phase_with_proxy = false;
  bool fail_if_ssl = false, fail_if_not_ssl = false;
  std::string method;
  std::map<std::string, std::string> headers;
  std::vector<Regexp> fail_if_body_matches_regexp, fail_if_body_not_matches_regexp;
  std::optional<CelExpression> fail_if_body_json_matches_cel, fail_if_body_json_not_matches_cel;
  std::vector<HeaderMatch> fail_if_header_matches, fail_if_header_not_matches;
  std::string body, body_file;
  std::optional<BasicAuth> basic_auth;
  std::optional<Authorization> authorization;
  std::optional<OAuth2> oauth2;
  TlsConfig tls_config;
  bool follow_redirects = true, enable_http2 = true;
  ProxyConfig proxy;
  std::map<std::string, HeaderValues> http_headers;
  std::string compression;
  ByteLimit body_size_limit;
  bool enable_http3 = false;
  bool warned_no_follow_redirects = false;  ///< The file has the deprecated no_follow_redirects.
};

struct Label {
  std::string name, value;
};

struct QueryResponse {
  Regexp expect;
  std::string expect_bytes;
  std::vector<Label> labels;
  std::string send;
  bool starttls = false;
};

struct TcpProbe {
  std::string preferred_ip_protocol;
  bool ip_protocol_fallback = true;
  std::string source_ip_address;
  std::vector<QueryResponse> query_response;
  bool tls = false;
  TlsConfig tls_config;
};

struct UnixProbe {
  std::vector<QueryResponse> query_response;
  bool tls = false;
  TlsConfig tls_config;
};

/// Additional: a datagram is sent and the answer compared.
struct UdpProbe {
  std::string preferred_ip_protocol;
  bool ip_protocol_fallback = true;
  std::string source_ip_address;
  std::string send;
  Regexp expect;
  std::string expect_bytes;
};

struct IcmpProbe {
  std::string preferred_ip_protocol;
  bool ip_protocol_fallback = true;
  std::string source_ip_address;
  int payload_size = 0;
  bool dont_fragment = false;
  int ttl = 64;
  int count = 1;                                        ///< Additional: echo requests a probe.
  GoDuration interval{std::chrono::milliseconds(200)};  ///< Additional: between two requests.
  double max_loss_ratio = 0.99;                         ///< Additional: more loss fails the probe.
};

struct RrValidator {
  std::vector<std::string> fail_if_matches, fail_if_all_match, fail_if_not_matches,
      fail_if_none_matches;
};

struct DnsProbe {
  std::string preferred_ip_protocol;
  bool ip_protocol_fallback = true;
  bool dns_over_tls = false;
  TlsConfig tls_config;
  std::string source_ip_address, transport_protocol, query_class, query_name, query_type;
  bool recursion_desired = true;
  std::optional<std::vector<std::string>> valid_rcodes;
  RrValidator validate_answer_rrs, validate_authority_rrs, validate_additional_rrs;
};

struct GrpcProbe {
  std::string service;
  bool tls = false;
  TlsConfig tls_config;
  bool ip_protocol_fallback = true;
  std::string preferred_ip_protocol;
  std::map<std::string, std::vector<std::string>> metadata;
};

struct Module {
  std::string prober;
  GoDuration timeout;
  HttpProbe http;
  TcpProbe tcp;
  IcmpProbe icmp;
  DnsProbe dns;
  GrpcProbe grpc;
  UnixProbe unix_socket;
  UdpProbe udp;
};

struct Config {
  std::map<std::string, Module> modules;
  std::vector<std::string> warnings;  ///< Of deprecated or unsupported settings that were accepted.
};

void Visit(config::Visitor& v, Config& c);

/// Reads a configuration. The message of an error begins as the original's does and then lists
/// every fault with its line ("FILE:LINE:COLUMN: modules.x.http.foo: ...").
[[nodiscard]] Result<Config> ParseConfig(const std::string& text, const std::string& file);

/// The configuration as YAML in the original's form of /config: four spaces, defaults that are
/// empty left out, secrets as <secret>.
[[nodiscard]] std::string DumpConfig(const Config& config);
[[nodiscard]] std::string DumpModule(const Module& module);

}  // namespace millrace::uptime_probe
