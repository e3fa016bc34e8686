#include "exporters/uptime_probe/probers/dialogue.h"
#include "exporters/uptime_probe/probers/probers.h"
#include "exporters/uptime_probe/probers/tls_metrics.h"

namespace millrace::uptime_probe {

bool ProbeUnix(ProbeContext& context) {
  const UnixProbe& c = context.module.unix_socket;
  if (context.options.refuse_internal_targets)
    return context.FailWith("refused_target", "Unix sockets are internal targets and refused");
  auto socket = ConnectUnix(context.target, context.deadline);
  if (!socket) return context.FailWith("connect", "Error dialing unix", socket.error());
  std::unique_ptr<Stream> stream =
      std::make_unique<SocketStream>(std::move(*socket), context.deadline);
  DialogueOptions options{&c.query_response, &c.tls_config, "", nullptr};
  TlsInfo info;
  if (c.tls) {
    auto made = TlsContext::Get(c.tls_config);
    if (!made) return context.FailWith("config", "Error creating TLS configuration", made.error());
    auto tls = TlsStream::Connect(std::move(stream), **made, c.tls_config.server_name, {}, info);
    AddMoreTlsMetrics(context, info);
    if (!tls) {
      context.reason = info.verify_failure;
      return context.FailWith("tls", "Error dialing unix", tls.error());
    }
    stream = std::move(*tls);
    options.tls = &info;
  }
  context.log.Debug("Successfully dialed");
  return RunDialogue(context, std::move(stream), options);
}

}  // namespace millrace::uptime_probe
