#pragma once
// The functions that registry.cc lists.
#include "exporters/uptime_probe/prober.h"

namespace millrace::uptime_probe {

bool ProbeHttp(ProbeContext& context);
bool ProbeTcp(ProbeContext& context);
bool ProbeIcmp(ProbeContext& context);
bool ProbeDns(ProbeContext& context);
bool ProbeGrpc(ProbeContext& context);
bool ProbeUnix(ProbeContext& context);
bool ProbeUdp(ProbeContext& context);

}  // namespace millrace::uptime_probe
