// Additional: sends a datagram and compares the answer. Without a rule for the answer, the absence
// of "port unreachable" within a short while is success, as with other UDP checks.
#include <array>
#include <cerrno>

#include <sys/socket.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/io/stream.h"
#include "exporters/uptime_probe/probers/address.h"
#include "exporters/uptime_probe/probers/probers.h"

namespace millrace::uptime_probe {

bool ProbeUdp(ProbeContext& context) {
  constexpr auto kSilence = std::chrono::milliseconds(500);
  static constexpr std::string_view kDuration = "probe_udp_duration_seconds";
  const UdpProbe& c = context.module.udp;
  MetricSet& m = context.metrics;
  m.DeclareVector(kDuration, "Duration of the exchange by phase.");
  m.Set(kDuration, {{"phase", "resolve"}}, 0);
  m.Set(kDuration, {{"phase", "rtt"}}, 0);
  m.Declare("probe_udp_reply_bytes", "Length of the answer.");
  const auto target = SplitHostPort(context.target);
  if (!target)
    return context.FailWith("config", "Error splitting target address and port",
                            {{"err", "missing port in address"}});
  const auto chosen =
      ChooseAddress(context, c.preferred_ip_protocol, c.ip_protocol_fallback, target->first);
  if (!chosen) return false;
  m.Set(kDuration, {{"phase", "resolve"}}, chosen->lookup_seconds);
  bool source_ok = true;
  const auto source = SourceAddress(context, c.source_ip_address, source_ok);
  const auto port = ParsePort(target->second, "udp");
  if (!source_ok) return false;
  if (!port) return context.FailWith("config", "Unknown port", {{"port", target->second}});

  const Fd fd(
      ::socket(chosen->ip.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd)
    return context.FailWith("connect", "Cannot open a socket", FailErrno("socket", errno).value());
  if (source) {
    const SocketAddress from = MakeSocketAddress(*source, 0);
    if (::bind(fd.get(), from.get(), from.size) != 0)
      return context.FailWith("connect", "Cannot bind", FailErrno("bind", errno).value());
  }
  const SocketAddress to = MakeSocketAddress(chosen->ip, *port);
  const auto start = Clock::now();
  if (::connect(fd.get(), to.get(), to.size) != 0 ||
      ::send(fd.get(), c.send.data(), c.send.size(), MSG_NOSIGNAL) < 0)
    return context.FailWith("connect", "Cannot send", FailErrno("send", errno).value());
  const bool needs_answer = c.expect || !c.expect_bytes.empty();
  const Deadline until =
      needs_answer ? context.deadline : std::min(context.deadline, Clock::now() + kSilence);
  std::array<char, 65536> buffer;
  for (;;) {
    auto ready = Wait(fd.get(), WaitFor::kReadable, until);
    if (!ready) {
      if (!needs_answer && ready.error().code == ErrorCode::kTimeout) return true;
      return context.FailWith("read", "No answer", ready.error());
    }
    const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n < 0)
      return context.FailWith("connect", "Cannot receive", FailErrno("read", errno).value());
    m.Set(kDuration, {{"phase", "rtt"}}, SecondsBetween(start, Clock::now()));
    m.Set("probe_udp_reply_bytes", static_cast<double>(n));
    const std::string_view reply(buffer.data(), static_cast<std::size_t>(n));
    if (c.expect && !c.expect.Matches(reply))
      return context.FailWith("body", "Regexp did not match",
                              {{"regexp", c.expect.pattern()}, {"reply", Printable(reply)}});
    if (!reply.starts_with(c.expect_bytes))
      return context.FailWith("body", "Bytes did not match", {{"reply", Printable(reply)}});
    return true;
  }
}

}  // namespace millrace::uptime_probe
