#pragma once
// OpenSSL set up from a TlsConfig the way Go's crypto/tls would be. No OpenSSL header in here.
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/http/web_config.h"

namespace millrace::http {

/// PEM texts of a configuration, read by the caller.
struct TlsMaterial {
  std::string cert, key, client_ca;
};

/// Fit for a server: versions, ciphers, curves, certificate, client authentication; ALPN "h2" and
/// "http/1.1" if `http2`. The pointer is an SSL_CTX*.
[[nodiscard]] Result<std::shared_ptr<void>> MakeTlsContext(const TlsConfig& config,
                                                           const TlsMaterial& material, bool http2);
/// A context whose every handshake ends with the alert internal_error.
[[nodiscard]] std::shared_ptr<void> BrokenTlsContext();
/// What a configuration can be told without reading its files; "" = fine.
[[nodiscard]] std::string CheckTlsConfig(const TlsConfig& config, bool http2);

/// The names that cipher_suites and curve_preferences may have.
[[nodiscard]] bool IsCipherSuite(std::string_view go_name);
[[nodiscard]] bool IsCurve(std::string_view go_name);

}  // namespace millrace::http
