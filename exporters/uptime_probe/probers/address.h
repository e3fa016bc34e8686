#pragma once
// The address a probe goes to, and the metrics about it.
#include <optional>
#include <string>
#include <string_view>

#include "exporters/uptime_probe/io/ip.h"
#include "exporters/uptime_probe/prober.h"

namespace millrace::uptime_probe {

struct ChosenAddress {
  IpAddress ip;
  double lookup_seconds = 0;
};

/// Looks a name up and picks an address of the preferred protocol ("ip4", else IPv6), or of the
/// other one with `fallback`. Sets probe_ip_protocol, probe_ip_addr_hash and
/// probe_dns_lookup_time_seconds. Nothing, with reason and log, when there is none or when the
/// address is internal and such targets are refused. `lookup_seconds` may be null.
[[nodiscard]] std::optional<ChosenAddress> ChooseAddress(ProbeContext& context,
                                                         const std::string& protocol, bool fallback,
                                                         std::string_view host,
                                                         double* lookup_seconds = nullptr);

/// "" gives no address; a text that is none fails the probe with a log line and `ok` false.
[[nodiscard]] std::optional<IpAddress> SourceAddress(ProbeContext& context, const std::string& text,
                                                     bool& ok);

}  // namespace millrace::uptime_probe
