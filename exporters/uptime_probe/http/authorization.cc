// Credentials: Basic, Bearer and other schemes, OAuth 2.0 client credentials (RFC 6749 4.4).
#include <array>

#include <fmt/format.h>
#include <simdjson.h>

#include "common/base/fd.h"
#include "common/base/strings.h"
#include "exporters/uptime_probe/http/client.h"

namespace millrace::uptime_probe::web {

Result<std::string> SecretText(const std::string& value, const std::string& file,
                               const std::string& reference, const char* what) {
  if (!reference.empty())
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("cannot use {}_ref: there is no secret manager", what));
  if (file.empty()) return value;
  auto text = ReadFile(file, 1 << 20);
  if (!text) return tl::make_unexpected(std::move(text).error().Within(what));
  return std::string(Trim(*text));
}

namespace {

struct Token {
  std::string type, value;
};

Result<Token> ParseToken(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view access, type;
  if (parser.parse(simdjson::padded_string(body)).get(root) != simdjson::SUCCESS ||
      root["access_token"].get(access) != simdjson::SUCCESS || access.empty())
    return Fail(ErrorCode::kParse, "oauth2: the answer has no access_token");
  if (root["token_type"].get(type) != simdjson::SUCCESS) type = "Bearer";
  Token token{std::string(type), std::string(access)};
  if (EqualsIgnoreCase(token.type, "bearer")) token.type = "Bearer";
  if (EqualsIgnoreCase(token.type, "basic")) token.type = "Basic";
  return token;
}

Result<Token> AskForToken(const OAuth2& c, const std::string& secret, bool in_header,
                          const TransportOptions& transport) {
  constexpr std::size_t kMostBody = std::size_t{1} << 20;
  Request request;
  request.method = "POST";
  MILLRACE_ASSIGN(request.url, Url::Parse(c.token_url));
  std::string form = "grant_type=client_credentials";
  if (!c.scopes.empty()) {
    std::string scopes;
    for (const auto& scope : c.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
    form += "&scope=" + FormEncode(scopes);
  }
  for (const auto& [key, value] : c.endpoint_params)
    form += "&" + FormEncode(key) + "=" + FormEncode(value);
  if (in_header) {
    request.headers.Set("Authorization", "Basic " + Base64Encode(FormEncode(c.client_id) + ":" +
                                                                 FormEncode(secret)));
  } else {
    form += "&client_id=" + FormEncode(c.client_id);
    if (!secret.empty()) form += "&client_secret=" + FormEncode(secret);
  }
  request.headers.Set("Content-Type", "application/x-www-form-urlencoded");
  request.body = std::move(form);
  TransportOptions options = transport;
  options.tls = &c.tls_config;
  options.server_name = c.tls_config.server_name;
  options.proxy = &c.proxy;
  options.refuse_internal = false;  // the operator's own endpoint, not the target's
  Trace trace;
  TlsInfo info;
  MILLRACE_ASSIGN(Response r, RoundTrip(request, options, trace, info));
  std::string body;
  std::array<char, 8192> buffer;
  while (body.size() < kMostBody) {
    MILLRACE_ASSIGN(const std::size_t n, r.body->Read(buffer.data(), buffer.size()));
    if (n == 0) break;
    body.append(buffer.data(), n);
  }
  if (r.status < 200 || r.status > 299)
    return Fail(ErrorCode::kPermission,
                fmt::format("oauth2: cannot fetch token: status {}", r.status));
  return ParseToken(body);
}

}  // namespace

Result<std::string> MakeAuthorization(const HttpProbe& config, const TransportOptions& transport) {
  if (config.basic_auth) {
    const BasicAuth& a = *config.basic_auth;
    MILLRACE_ASSIGN(const std::string user,
                    SecretText(a.username, a.username_file, a.username_ref, "username"));
    MILLRACE_ASSIGN(const std::string password,
                    SecretText(a.password.value, a.password_file, a.password_ref, "password"));
    return "Basic " + Base64Encode(user + ":" + password);
  }
  if (config.authorization) {
    const Authorization& a = *config.authorization;
    MILLRACE_ASSIGN(
        const std::string credentials,
        SecretText(a.credentials.value, a.credentials_file, a.credentials_ref, "credentials"));
    return a.type + " " + credentials;
  }
  if (config.oauth2) {
    const OAuth2& o = *config.oauth2;
    MILLRACE_ASSIGN(const std::string secret,
                    SecretText(o.client_secret.value, o.client_secret_file, o.client_secret_ref,
                               "client_secret"));
    // Servers differ in where they want the secret (RFC 6749 2.3.1); the header first.
    auto token = AskForToken(o, secret, true, transport);
    if (!token && token.error().code == ErrorCode::kPermission)
      token = AskForToken(o, secret, false, transport);
    if (!token) return tl::make_unexpected(std::move(token).error());
    return token->type + " " + token->value;
  }
  return std::string();
}

}  // namespace millrace::uptime_probe::web
