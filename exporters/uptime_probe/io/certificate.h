#pragma once
// Certificates as Go's crypto/x509 prints them. Only for files that include OpenSSL.
#include <cstdint>

#include <openssl/x509.h>

#include "exporters/uptime_probe/io/tls.h"

namespace millrace::uptime_probe {

/// Fills what TlsInfo says about the chain; the leaf is the first.
void DescribeCertificates(const STACK_OF(X509) * chain, TlsInfo& info);
/// The smallest notAfter, Unix time; kGoZeroTime for an empty chain.
[[nodiscard]] std::int64_t EarliestExpiry(const STACK_OF(X509) * chain);

}  // namespace millrace::uptime_probe
