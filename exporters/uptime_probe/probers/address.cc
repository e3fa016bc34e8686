#include "exporters/uptime_probe/probers/address.h"

#include <algorithm>

#include "exporters/uptime_probe/io/resolver.h"

namespace millrace::uptime_probe {
namespace {

/// FNV-1a, 32 bits.
double Hash(const IpAddress& ip) {
  std::uint32_t h = 2166136261U;
  for (const char c : ip.Bytes()) h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  return h;
}

}  // namespace

std::optional<ChosenAddress> ChooseAddress(ProbeContext& context, const std::string& protocol,
                                           bool fallback, std::string_view host,
                                           double* lookup_seconds) {
  MetricSet& m = context.metrics;
  m.Declare("probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6");
  m.Declare("probe_dns_lookup_time_seconds",
            "Returns the time taken for probe dns lookup in seconds");
  m.Declare("probe_ip_addr_hash",
            "Specifies the hash of IP address. It's useful to detect if the IP address changes.");
  const bool want_v6 = protocol == "ip6" || protocol.empty();
  context.log.Debug("Resolving target address",
                    {{"target", host}, {"ip_protocol", want_v6 ? "ip6" : "ip4"}});
  const auto start = Clock::now();
  const IpFamily family = fallback ? IpFamily::kAny : want_v6 ? IpFamily::kV6 : IpFamily::kV4;
  auto found = ResolveHost(host, family, context.deadline);
  const double seconds = SecondsBetween(start, Clock::now());
  m.Set("probe_dns_lookup_time_seconds", seconds);
  if (lookup_seconds != nullptr) *lookup_seconds = seconds;
  if (!found) {
    context.FailWith("dns", "Resolution with IP protocol failed", found.error());
    return std::nullopt;
  }
  if (context.options.additional_metrics) {
    m.DeclareVector("probe_ip_address_info", "Every address that the target's name has.");
    for (const IpAddress& ip : *found)
      m.Set("probe_ip_address_info", {{"address", ip.Text()}, {"family", ip.v6 ? "ip6" : "ip4"}},
            1);
  }
  auto chosen = std::find_if(found->begin(), found->end(),
                             [want_v6](const IpAddress& ip) { return ip.v6 == want_v6; });
  // Without one of the preferred protocol, the last of the other.
  if (chosen == found->end()) chosen = found->end() - 1;
  if (context.options.refuse_internal_targets && IsInternal(*chosen)) {
    context.FailWith("refused_target", "Target is internal and refused", {{"ip", chosen->Text()}});
    return std::nullopt;
  }
  m.Set("probe_ip_protocol", chosen->v6 ? 6 : 4);
  m.Set("probe_ip_addr_hash", Hash(*chosen));
  context.log.Debug("Resolved target address", {{"target", host}, {"ip", chosen->Text()}});
  return ChosenAddress{*chosen, seconds};
}

std::optional<IpAddress> SourceAddress(ProbeContext& context, const std::string& text, bool& ok) {
  ok = true;
  if (text.empty()) return std::nullopt;
  auto ip = ParseIp(text);
  if (!ip) {
    ok = context.FailWith("config", "Error parsing source ip address", {{"srcIP", text}});
  } else {
    context.log.Debug("Using local address", {{"srcIP", text}});
  }
  return ip;
}

}  // namespace millrace::uptime_probe
