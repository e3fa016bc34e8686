#include "exporters/uptime_probe/probers/address.h"
#include "exporters/uptime_probe/probers/dialogue.h"
#include "exporters/uptime_probe/probers/probers.h"
#include "exporters/uptime_probe/probers/tls_metrics.h"

namespace millrace::uptime_probe {

bool ProbeTcp(ProbeContext& context) {
  const TcpProbe& c = context.module.tcp;
  const auto target = SplitHostPort(context.target);
  if (!target)
    return context.FailWith("config", "Error splitting target address and port",
                            {{"err", "missing port in address"}});
  const auto chosen =
      ChooseAddress(context, c.preferred_ip_protocol, c.ip_protocol_fallback, target->first);
  if (!chosen) return false;
  bool source_ok = true;
  const auto source = SourceAddress(context, c.source_ip_address, source_ok);
  if (!source_ok) return false;
  const auto port = ParsePort(target->second, "tcp");
  if (!port) return context.FailWith("config", "Error dialing TCP", {{"err", "unknown port"}});

  context.log.Debug(c.tls ? "Dialing TCP with TLS" : "Dialing TCP without TLS");
  auto socket = ConnectTcp(chosen->ip, *port, source ? &*source : nullptr, context.deadline);
  if (!socket) return context.FailWith("connect", "Error dialing TCP", socket.error());
  std::unique_ptr<Stream> stream =
      std::make_unique<SocketStream>(std::move(*socket), context.deadline);

  DialogueOptions options{&c.query_response, &c.tls_config, target->first, nullptr};
  TlsInfo info;
  if (c.tls) {
    auto made = TlsContext::Get(c.tls_config);
    if (!made) return context.FailWith("config", "Error creating TLS configuration", made.error());
    const std::string& name =
        c.tls_config.server_name.empty() ? target->first : c.tls_config.server_name;
    auto tls = TlsStream::Connect(std::move(stream), **made, name, {}, info);
    AddMoreTlsMetrics(context, info);
    if (!tls) {
      context.reason = info.verify_failure;
      return context.FailWith("tls", "Error dialing TCP", tls.error());
    }
    stream = std::move(*tls);
    options.tls = &info;
  }
  context.log.Debug("Successfully dialed");
  return RunDialogue(context, std::move(stream), options);
}

}  // namespace millrace::uptime_probe
