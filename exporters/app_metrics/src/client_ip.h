#pragma once
// The address of the client behind proxies that are trusted, and of nobody else.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::app_metrics {

/// IPv4 is kept as IPv4-mapped IPv6, so that one comparison serves both.
using IpBytes = std::array<std::uint8_t, 16>;
/// Plain, in brackets, with a port behind ("1.2.3.4:80", "[::1]:80"): all forms that stand in
/// X-Forwarded-For.
[[nodiscard]] std::optional<IpBytes> ParseIp(std::string_view text);

class TrustedProxies {
 public:
  /// Adds "10.0.0.0/8", "::1"; false when it is neither.
  bool Add(std::string_view cidr);
  [[nodiscard]] bool empty() const { return blocks_.empty(); }
  [[nodiscard]] bool Contains(const IpBytes& ip) const;

 private:
  struct Block {
    IpBytes address;
    int bits;
  };
  std::vector<Block> blocks_;
};

/// `peer` unless it is trusted; else the nearest address of X-Forwarded-For, from the right, that
/// is not trusted. Looks at the last 2 KiB and 32 hops. The result points into the arguments.
[[nodiscard]] std::string_view ClientIp(const TrustedProxies& trusted, std::string_view peer,
                                        std::string_view forwarded_for);

}  // namespace millrace::app_metrics
