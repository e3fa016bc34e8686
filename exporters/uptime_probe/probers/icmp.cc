// Echo requests (RFC 792, RFC 4443). Datagram sockets where net.ipv4.ping_group_range allows them,
// raw sockets (CAP_NET_RAW) elsewhere.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <random>

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exporters/uptime_probe/io/stream.h"
#include "exporters/uptime_probe/probers/address.h"
#include "exporters/uptime_probe/probers/probers.h"

namespace millrace::uptime_probe {
namespace {

constexpr std::string_view kDuration = "probe_icmp_duration_seconds";
constexpr std::size_t kHeader = 8;
constexpr int kMostPayload = 65507;

std::uint16_t NextSequence() {
  // Starts anywhere: several probers that start together must not answer for each other.
  static std::atomic<std::uint16_t> sequence{static_cast<std::uint16_t>(std::random_device{}())};
  return ++sequence;
}

std::uint16_t EchoId() {
  static const auto id = [] {
    const pid_t pid = ::getpid();
    return static_cast<std::uint16_t>(pid == 1 ? std::random_device{}()
                                               : static_cast<unsigned>(pid));
  }();
  return id;
}

/// RFC 1071
std::uint16_t Checksum(std::string_view bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << 8;
    if (i + 1 < bytes.size()) sum += static_cast<unsigned char>(bytes[i + 1]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void Put16(std::string& out, std::size_t at, std::uint16_t v) {
  out[at] = static_cast<char>(v >> 8);
  out[at + 1] = static_cast<char>(v);
}

class Pinger {
 public:
  Pinger(ProbeContext& context, const IpAddress& ip)
      : context_(context), c_(context.module.icmp), ip_(ip) {}

  Status Open(const IpAddress* source);
  /// Sends one request and waits for its answer until `until`. Seconds, or kTimeout.
  Result<double> Ping(Deadline until);
  [[nodiscard]] int hop_limit() const { return hop_limit_; }

 private:
  [[nodiscard]] std::string Packet(std::uint16_t sequence, const std::string& data) const;
  /// The echo reply to `sequence` with that data?
  [[nodiscard]] bool IsAnswer(std::string_view packet, std::uint16_t sequence,
                              const std::string& data) const;

  ProbeContext& context_;
  const IcmpProbe& c_;
  const IpAddress& ip_;
  Fd fd_;
  bool raw_ = false;
  int hop_limit_ = -1;
};

Status Pinger::Open(const IpAddress* source) {
  const int family = ip_.v6 ? AF_INET6 : AF_INET;
  const int protocol = ip_.v6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
  fd_ = Fd(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd_) {
    const int refused = errno;
    context_.log.Debug("No datagram socket for ICMP, trying a raw one",
                       {{"err", FailErrno("socket", refused).value()}});
    fd_ = Fd(::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
    raw_ = true;
    if (!fd_) return FailErrno("socket (needs CAP_NET_RAW or net.ipv4.ping_group_range)", errno);
    if (ip_.v6) {
      icmp6_filter filter{};
      ICMP6_FILTER_SETBLOCKALL(&filter);
      ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
      ::setsockopt(fd_.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
    }
  }
  const int on = 1;
  if (ip_.v6)
    ::setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on);
  else
    ::setsockopt(fd_.get(), IPPROTO_IP, IP_RECVTTL, &on, sizeof on);
  if (c_.ttl > 0) {
    const int set =
        ip_.v6 ? ::setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &c_.ttl, sizeof c_.ttl)
               : ::setsockopt(fd_.get(), IPPROTO_IP, IP_TTL, &c_.ttl, sizeof c_.ttl);
    if (set != 0) return FailErrno("set TTL", errno);
  }
  if (c_.dont_fragment && !ip_.v6) {
    // PROBE sets the bit and ignores what the kernel learned about the path before.
    const int probe = IP_PMTUDISC_PROBE;
    if (::setsockopt(fd_.get(), IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe) != 0)
      return FailErrno("set don't fragment", errno);
  }
  if (source != nullptr) {
    const SocketAddress from = MakeSocketAddress(*source, 0);
    if (::bind(fd_.get(), from.get(), from.size) != 0)
      return FailErrno("bind " + source->Text(), errno);
  }
  return {};
}

std::string Pinger::Packet(std::uint16_t sequence, const std::string& data) const {
  std::string packet(kHeader, '\0');
  packet[0] = static_cast<char>(ip_.v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO);
  Put16(packet, 4, EchoId());
  Put16(packet, 6, sequence);
  packet += data;
  if (!ip_.v6) Put16(packet, 2, Checksum(packet));  // the kernel computes that of ICMPv6
  return packet;
}

bool Pinger::IsAnswer(std::string_view packet, std::uint16_t sequence,
                      const std::string& data) const {
  if (raw_ && !ip_.v6) {
    // A raw IPv4 socket delivers the IP header as well.
    if (packet.empty()) return false;
    const std::size_t header = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
    if (packet.size() < header) return false;
    packet.remove_prefix(header);
  }
  if (packet.size() != kHeader + data.size()) return false;
  if (static_cast<unsigned char>(packet[0]) != (ip_.v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
      packet[1] != 0)
    return false;
  std::string expected(kHeader, '\0');
  Put16(expected, 4, EchoId());
  Put16(expected, 6, sequence);
  // The kernel has put an identifier of its own into a datagram socket's packets, and delivers
  // only the answers to those.
  if (raw_ && packet.substr(4, 2) != std::string_view(expected).substr(4, 2)) return false;
  return packet.substr(6, 2) == std::string_view(expected).substr(6, 2) &&
         packet.substr(kHeader) == data;
}

Result<double> Pinger::Ping(Deadline until) {
  static constexpr std::string_view kText = "Prometheus Blackbox Exporter";
  std::string data(kText);
  if (c_.payload_size != 0) data.resize(static_cast<std::size_t>(c_.payload_size), '\0');
  const std::uint16_t sequence = NextSequence();
  const std::string packet = Packet(sequence, data);
  const SocketAddress to = MakeSocketAddress(ip_, 0);
  const auto start = Clock::now();
  for (;;) {
    if (::sendto(fd_.get(), packet.data(), packet.size(), 0, to.get(), to.size) >= 0) break;
    if (errno != EAGAIN && errno != EINTR) return FailErrno("write", errno);
    MILLRACE_TRY(Wait(fd_.get(), WaitFor::kWritable, until));
  }
  std::array<char, 65536> buffer;
  for (;;) {
    MILLRACE_TRY(Wait(fd_.get(), WaitFor::kReadable, until));
    sockaddr_storage peer{};
    iovec piece{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, 256> control{};
    msghdr message{};
    message.msg_name = &peer;
    message.msg_namelen = sizeof peer;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(fd_.get(), &message, 0);
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return FailErrno("read", errno);
    }
    const auto end = Clock::now();
    IpAddress from = FromSocketAddress(peer);
    from.zone = ip_.zone;
    if (from != ip_ || !IsAnswer({buffer.data(), static_cast<std::size_t>(n)}, sequence, data))
      continue;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      const bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL;
      const bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT;
      if (v4 || v6) std::memcpy(&hop_limit_, CMSG_DATA(c), sizeof hop_limit_);
    }
    return SecondsBetween(start, end);
  }
}

/// Several requests: loss, jitter, extremes.
bool PingSeries(ProbeContext& context, Pinger& pinger) {
  const IcmpProbe& c = context.module.icmp;
  MetricSet& m = context.metrics;
  std::vector<double> times;
  Error last{ErrorCode::kTimeout, "no answer"};
  int sent = 0;
  const auto begin = Clock::now();
  for (; sent < c.count; ++sent) {
    // Each request has an equal share of what is left, so that one loss does not eat the rest.
    const auto now = Clock::now();
    if (now >= context.deadline && sent > 0) break;
    const auto share = (context.deadline - now) / (c.count - sent);
    auto rtt = pinger.Ping(now + share);
    if (rtt)
      times.push_back(*rtt);
    else
      last = std::move(rtt).error();
    if (c.count == 1) break;
    const Deadline next = begin + (sent + 1) * c.interval.value;
    if (sent + 1 < c.count && next < context.deadline)
      while (Clock::now() < next) (void)Wait(-1, WaitFor::kReadable, next);
  }
  sent = std::min(c.count, sent + (c.count == 1 ? 1 : 0));
  if (!times.empty()) m.Add(kDuration, {{"phase", "rtt"}}, times.front());
  if (pinger.hop_limit() >= 0) {
    m.Declare("probe_icmp_reply_hop_limit", "Replied packet hop limit (TTL for ipv4)");
    m.Set("probe_icmp_reply_hop_limit", pinger.hop_limit());
  }
  const double loss = 1 - static_cast<double>(times.size()) / std::max(1, sent);
  if (c.count > 1) {
    m.Declare("probe_icmp_sent_packets", "Echo requests of this probe.");
    m.Set("probe_icmp_sent_packets", sent);
    m.Declare("probe_icmp_loss_ratio", "Share of echo requests without an answer.");
    m.Set("probe_icmp_loss_ratio", loss);
    if (!times.empty()) {
      double sum = 0, jitter = 0;
      for (std::size_t i = 0; i < times.size(); ++i) {
        sum += times[i];
        if (i > 0) jitter += std::abs(times[i] - times[i - 1]);
      }
      static constexpr std::string_view kRtt = "probe_icmp_rtt_seconds";
      m.DeclareVector(kRtt, "Round-trip times of this probe.");
      m.Set(kRtt, {{"statistic", "min"}}, *std::min_element(times.begin(), times.end()));
      m.Set(kRtt, {{"statistic", "max"}}, *std::max_element(times.begin(), times.end()));
      m.Set(kRtt, {{"statistic", "mean"}}, sum / static_cast<double>(times.size()));
      m.Declare("probe_icmp_jitter_seconds", "Mean difference of two successive round-trip times.");
      m.Set("probe_icmp_jitter_seconds",
            times.size() > 1 ? jitter / static_cast<double>(times.size() - 1) : 0);
    }
  }
  if (times.empty() || loss > c.max_loss_ratio)
    return context.FailWith(times.empty() ? "network" : "packet_loss",
                            times.empty() ? "No reply" : "Too many replies are missing", last);
  context.log.Debug("Found matching reply packet");
  return true;
}

}  // namespace

bool ProbeIcmp(ProbeContext& context) {
  const IcmpProbe& c = context.module.icmp;
  MetricSet& m = context.metrics;
  m.DeclareVector(kDuration, "Duration of icmp request by phase");
  for (const char* phase : {"resolve", "setup", "rtt"}) m.Set(kDuration, {{"phase", phase}}, 0);
  const auto chosen =
      ChooseAddress(context, c.preferred_ip_protocol, c.ip_protocol_fallback, context.target);
  if (!chosen) return false;
  m.Set(kDuration, {{"phase", "resolve"}}, chosen->lookup_seconds);
  bool source_ok = true;
  const auto source = SourceAddress(context, c.source_ip_address, source_ok);
  if (!source_ok) return false;
  if (c.payload_size < 0 || c.payload_size > kMostPayload)
    return context.FailWith("config", "Payload size is impossible",
                            {{"payload_size", c.payload_size}});
  const auto start = Clock::now();
  Pinger pinger(context, chosen->ip);
  auto opened = pinger.Open(source ? &*source : nullptr);
  if (!opened) return context.FailWith("permission", "Error listening to socket", opened.error());
  m.Set(kDuration, {{"phase", "setup"}}, SecondsBetween(start, Clock::now()));
  return PingSeries(context, pinger);
}

}  // namespace millrace::uptime_probe
