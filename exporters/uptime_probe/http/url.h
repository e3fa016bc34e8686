#pragma once
// URLs as Go's net/url reads them, for http and https.
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::uptime_probe::web {

struct Url {
  std::string scheme;                   ///< Lower case; "" for a relative reference.
  std::optional<std::string> userinfo;  ///< As written: "user:pass".
  std::string host;                     ///< With the port: "example.com:8080", "[::1]:80".
  std::string path;                     ///< Escaped.
  std::string query;                    ///< Without "?".
  bool has_query = false;
  std::string fragment;

  [[nodiscard]] static Result<Url> Parse(std::string_view text);
  /// `reference` as seen from this URL (RFC 3986 5.2).
  [[nodiscard]] Url Resolve(const Url& reference) const;
  [[nodiscard]] std::string Text() const;
  /// Text() with xxxxx for a password.
  [[nodiscard]] std::string Redacted() const;
  /// Path and query as they stand in a request line.
  [[nodiscard]] std::string RequestTarget() const;
  /// Without port and brackets.
  [[nodiscard]] std::string HostName() const;
  /// "" when none is written.
  [[nodiscard]] std::string Port() const;
  [[nodiscard]] std::string PortOrDefault() const;
  [[nodiscard]] bool IsTls() const { return scheme == "https"; }
};

[[nodiscard]] std::string PercentDecode(std::string_view text);
/// application/x-www-form-urlencoded
[[nodiscard]] std::string FormEncode(std::string_view text);

}  // namespace millrace::uptime_probe::web
