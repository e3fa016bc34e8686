#pragma once
#include "exporters/uptime_probe/io/tls.h"
#include "exporters/uptime_probe/prober.h"

namespace millrace::uptime_probe {

/// Which of the certificate metrics a prober of the original has.
struct TlsMetricChoice {
  bool cipher = false, last_chain = true;
};

/// After a handshake that succeeded.
void AddTlsMetrics(MetricSet& metrics, const TlsInfo& info, TlsMetricChoice choice);
/// Additional: what is known after a handshake that failed, and the start of validity.
void AddMoreTlsMetrics(ProbeContext& context, const TlsInfo& info);

}  // namespace millrace::uptime_probe
