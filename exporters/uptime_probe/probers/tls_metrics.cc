#include "exporters/uptime_probe/probers/tls_metrics.h"

namespace millrace::uptime_probe {
namespace {

void AddCertificate(MetricSet& m, const TlsInfo& info) {
  m.Declare("probe_ssl_earliest_cert_expiry", "Returns last SSL chain expiry in unixtime");
  m.Set("probe_ssl_earliest_cert_expiry", static_cast<double>(info.earliest_expiry));
  m.DeclareVector("probe_ssl_last_chain_info", "Contains SSL leaf certificate information");
  m.Set("probe_ssl_last_chain_info",
        {{"fingerprint_sha256", info.fingerprint_sha256},
         {"issuer", info.issuer},
         {"serialnumber", info.serial},
         {"subject", info.subject},
         {"subjectalternative", info.dns_names}},
        1);
}

}  // namespace

void AddTlsMetrics(MetricSet& m, const TlsInfo& info, TlsMetricChoice choice) {
  AddCertificate(m, info);
  m.DeclareVector("probe_tls_version_info", "Returns the TLS version used or NaN when unknown");
  m.Set("probe_tls_version_info", {{"version", info.version}}, 1);
  if (choice.cipher) {
    m.DeclareVector("probe_tls_cipher_info", "Returns the TLS cipher negotiated during handshake");
    m.Set("probe_tls_cipher_info", {{"cipher", info.cipher}}, 1);
  }
  if (choice.last_chain) {
    m.Declare("probe_ssl_last_chain_expiry_timestamp_seconds",
              "Returns last SSL chain expiry in timestamp");
    m.Set("probe_ssl_last_chain_expiry_timestamp_seconds",
          static_cast<double>(info.last_chain_expiry));
  }
}

void AddMoreTlsMetrics(ProbeContext& context, const TlsInfo& info) {
  if (!context.options.additional_metrics || !info.certificate) return;
  MetricSet& m = context.metrics;
  AddCertificate(m, info);
  m.Declare("probe_ssl_cert_not_before_timestamp_seconds",
            "Start of validity of the leaf certificate in unixtime.");
  m.Set("probe_ssl_cert_not_before_timestamp_seconds", static_cast<double>(info.not_before));
  m.Declare("probe_ssl_verified", "Whether the certificate was verified.");
  m.Set("probe_ssl_verified", info.verified ? 1 : 0);
}

}  // namespace millrace::uptime_probe
