#pragma once
// The NTP packet of RFC 5905, and what a client computes from an answer. Pure functions.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::node {

/// Seconds since 1900 in 32.32 fixed point.
using NtpTime = std::uint64_t;

/// Seconds since 1970; the era is chosen so that the time lies between 1970 and 2106.
[[nodiscard]] double UnixSeconds(NtpTime t);
[[nodiscard]] NtpTime ToNtpTime(std::int64_t unix_seconds, std::uint32_t nanoseconds);

struct NtpAnswer {
  int leap = 0, stratum = 0, version = 0, mode = 0;
  double root_delay = 0, root_dispersion = 0;  ///< Seconds.
  NtpTime reference = 0, origin = 0, receive = 0, transmit = 0;

  // Computed with the time the answer came.
  double rtt = 0, offset = 0;
  double root_distance = 0;
  double minimum_error = 0;  ///< By how much causality is broken: the least error of a clock.
};

[[nodiscard]] std::string NtpRequest(int version, NtpTime now);
/// Nothing if it is too short, not an answer, or not the answer to the request sent at `sent`.
[[nodiscard]] std::optional<NtpAnswer> ParseNtpAnswer(std::string_view packet, NtpTime sent,
                                                      NtpTime received);
/// RFC 5905's conditions for a server that may be synchronised to.
[[nodiscard]] bool IsSane(const NtpAnswer& answer);

}  // namespace millrace::node
