// The table of probers: one line each.
#include "exporters/uptime_probe/probers/probers.h"

namespace millrace::uptime_probe {

const std::vector<ProberEntry>& Probers() {
  static const std::vector<ProberEntry> table = {
      {"http", "HTTP/1.1 and HTTP/2 requests", &ProbeHttp},
      {"tcp", "TCP connections, with a dialogue and TLS", &ProbeTcp},
      {"icmp", "Echo requests over IPv4 and IPv6", &ProbeIcmp},
      {"dns", "DNS questions over UDP, TCP and TLS", &ProbeDns},
      {"grpc", "gRPC health checks", &ProbeGrpc},
      {"unix", "Unix sockets, with a dialogue and TLS", &ProbeUnix},
      {"udp", "UDP datagrams and their answers", &ProbeUdp},
  };
  return table;
}

ProbeFunction FindProber(std::string_view name) {
  for (const ProberEntry& e : Probers())
    if (e.name == name) return e.probe;
  return nullptr;
}

}  // namespace millrace::uptime_probe
