#include "exporters/node/collectors/ntp_packet.h"

#include <algorithm>

namespace millrace::node {
namespace {

constexpr std::size_t kPacketBytes = 48;
constexpr std::uint64_t kEpochDifference = 2'208'988'800;  // 1900 to 1970
constexpr double kFraction = 4294967296.0;

std::uint64_t Big(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// 16.16 fixed point.
double Short(std::string_view bytes, std::size_t at) {
  return static_cast<double>(Big(bytes, at, 4)) / 65536;
}

/// a - b; both are within 68 years of each other.
double Difference(NtpTime a, NtpTime b) {
  return static_cast<double>(static_cast<std::int64_t>(a - b)) / kFraction;
}

}  // namespace

double UnixSeconds(NtpTime t) {
  const auto seconds = static_cast<std::uint32_t>((t >> 32) - kEpochDifference);
  return seconds + static_cast<double>(t & 0xffffffff) / kFraction;
}

NtpTime ToNtpTime(std::int64_t unix_seconds, std::uint32_t nanoseconds) {
  const std::uint64_t fraction = (std::uint64_t{nanoseconds} << 32) / 1'000'000'000;
  return (static_cast<std::uint64_t>(unix_seconds) + kEpochDifference) << 32 | fraction;
}

std::string NtpRequest(int version, NtpTime now) {
  std::string packet(kPacketBytes, '\0');
  packet[0] = static_cast<char>(version << 3 | 3);  // mode 3: client
  for (int i = 0; i < 8; ++i)
    packet[40U + static_cast<unsigned>(i)] = static_cast<char>(now >> (56 - 8 * i));
  return packet;
}

std::optional<NtpAnswer> ParseNtpAnswer(std::string_view packet, NtpTime sent, NtpTime received) {
  if (packet.size() < kPacketBytes) return std::nullopt;
  const auto first = static_cast<unsigned char>(packet[0]);
  NtpAnswer a;
  a.leap = first >> 6;
  a.version = first >> 3 & 7;
  a.mode = first & 7;
  a.stratum = static_cast<unsigned char>(packet[1]);
  a.root_delay = Short(packet, 4);
  a.root_dispersion = Short(packet, 8);
  a.reference = Big(packet, 16, 8);
  a.origin = Big(packet, 24, 8);
  a.receive = Big(packet, 32, 8);
  a.transmit = Big(packet, 40, 8);
  constexpr int kServer = 4;
  if (a.mode != kServer || a.origin != sent || a.transmit == 0) return std::nullopt;
  a.rtt = std::max(0.0, Difference(received, sent) - Difference(a.transmit, a.receive));
  a.offset = (Difference(a.receive, sent) + Difference(a.transmit, received)) / 2;
  a.root_distance = (a.rtt + a.root_delay) / 2 + a.root_dispersion;
  a.minimum_error = std::max({0.0, Difference(sent, a.receive), Difference(a.transmit, received)});
  return a;
}

bool IsSane(const NtpAnswer& a) {
  constexpr int kUnsynchronised = 3, kMaxStratum = 16;
  constexpr double kMaxPoll = 131072, kMaxDispersion = 16;  // seconds: 2^17, MAXDISP
  if (a.leap == kUnsynchronised || a.stratum == 0 || a.stratum >= kMaxStratum) return false;
  const double freshness = Difference(a.transmit, a.reference);
  return freshness >= 0 && freshness <= kMaxPoll &&
         a.root_delay / 2 + a.root_dispersion <= kMaxDispersion;
}

}  // namespace millrace::node
