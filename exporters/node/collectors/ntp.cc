#include <cerrno>
#include <cmath>
#include <ctime>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "exporters/node/attributes.h"
#include "exporters/node/collectors/ntp_packet.h"

namespace millrace::node {
namespace {

NtpTime Now() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return ToNtpTime(t.tv_sec, static_cast<std::uint32_t>(t.tv_nsec));
}

/// A loopback address in numbers.
bool IsLoopback(const std::string& text) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

struct Options {
  std::string server;
  std::int64_t port, version, ttl;
  double max_distance, tolerance;
};

class Ntp : public Collector {
 public:
  explicit Ntp(Options options) : options_(std::move(options)) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(const NtpAnswer a, Ask());
    out.Gauge("node_ntp_stratum", "Stratum of the server.", a.stratum);
    out.Gauge("node_ntp_leap", "Leap indicator, 2 bits.", a.leap);
    out.Gauge("node_ntp_rtt_seconds", "Time to the server and back.", a.rtt);
    out.Gauge("node_ntp_offset_seconds", "Offset between the server's clock and ours.", a.offset);
    out.Gauge("node_ntp_reference_timestamp_seconds",
              "When the server's clock was last set, seconds since 1970.",
              a.reference == 0 ? 0 : UnixSeconds(a.reference));
    out.Gauge("node_ntp_root_delay_seconds", "Delay to the root.", a.root_delay);
    out.Gauge("node_ntp_root_dispersion_seconds", "Dispersion to the root.", a.root_dispersion);
    double tolerance = options_.tolerance;
    // Servers smear a leap second over a day; the indicator is gone right after midnight.
    const double now = UnixSeconds(a.transmit);
    constexpr double kDay = 86400;
    if (a.leap == 1 || a.leap == 2) leap_midnight_ = (std::floor(now / kDay) + 1) * kDay;
    if (std::abs(now - leap_midnight_) < kDay) tolerance += 1;
    out.Gauge("node_ntp_sanity", "1 if the server is sane and within the limits.",
              IsSane(a) && a.root_distance <= options_.max_distance && a.minimum_error <= tolerance
                  ? 1
                  : 0);
    return {};
  }

 private:
  Result<NtpAnswer> Ask() const {
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    const int rc =
        getaddrinfo(options_.server.c_str(), std::to_string(options_.port).c_str(), &hints, &found);
    if (rc != 0) return Fail(ErrorCode::kUnavailable, options_.server + ": " + gai_strerror(rc));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
    const Fd fd(::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd) return FailErrno("socket", errno);
    const timeval limit{1, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const int ttl = static_cast<int>(options_.ttl);
    if (found->ai_family == AF_INET)
      setsockopt(fd.get(), IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    else
      setsockopt(fd.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof ttl);
    if (::connect(fd.get(), found->ai_addr, found->ai_addrlen) != 0)
      return FailErrno("connect " + options_.server, errno);
    const NtpTime sent = Now();
    const std::string request = NtpRequest(static_cast<int>(options_.version), sent);
    if (::send(fd.get(), request.data(), request.size(), 0) < 0)
      return FailErrno("send to " + options_.server, errno);
    char packet[1024];
    const ssize_t n = ::recv(fd.get(), packet, sizeof packet, 0);
    if (n < 0)
      return FailErrno("no answer from " + options_.server, errno == EAGAIN ? ETIMEDOUT : errno);
    const auto answer = ParseNtpAnswer({packet, static_cast<std::size_t>(n)}, sent, Now());
    if (!answer) return Fail(ErrorCode::kParse, options_.server + " sent no valid NTP answer");
    return *answer;
  }

  const Options options_;
  double leap_midnight_ = 0;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.ntp.server", "127.0.0.1", "NTP server to ask.");
  flags.Integer("collector.ntp.server-port", 123, "Its UDP port.");
  flags.Integer("collector.ntp.protocol-version", 4, "Version of the protocol: 2, 3 or 4.");
  flags.Switch("collector.ntp.server-is-local", false,
               "Certify that the server is not a public one.");
  flags.Integer("collector.ntp.ip-ttl", 1, "IP TTL of the query.");
  flags.Duration("collector.ntp.max-distance", "3.46608s", "Most distance to the root.");
  flags.Duration("collector.ntp.local-offset-tolerance", "1ms",
                 "Offset between the clocks to tolerate.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  const FlagSet& f = context.flags;
  Options o{f.GetText("collector.ntp.server"),
            f.GetInteger("collector.ntp.server-port"),
            f.GetInteger("collector.ntp.protocol-version"),
            f.GetInteger("collector.ntp.ip-ttl"),
            f.GetSeconds("collector.ntp.max-distance"),
            f.GetSeconds("collector.ntp.local-offset-tolerance")};
  const auto bad = [](const char* why) { return Fail(ErrorCode::kInvalidArgument, why); };
  if (!f.GetSwitch("collector.ntp.server-is-local") && !IsLoopback(o.server))
    return bad(
        "--collector.ntp.server must be a loopback address in numbers, or "
        "--collector.ntp.server-is-local given");
  if (o.version < 2 || o.version > 4) return bad("--collector.ntp.protocol-version: 2, 3 or 4");
  if (o.port < 1 || o.port > 65535) return bad("--collector.ntp.server-port: 1 to 65535");
  if (o.ttl < 1 || o.ttl > 255) return bad("--collector.ntp.ip-ttl: 1 to 255");
  return std::make_unique<Ntp>(std::move(o));
}

}  // namespace

MILLRACE_COLLECTOR(Ntp) = {"ntp", false, "A local NTP server", &Declare, &Make};

}  // namespace millrace::node
