#include "exporters/app_metrics/src/client_ip.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

namespace millrace::app_metrics {
namespace {

std::string_view TrimBlanks(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// Takes brackets and port off.
std::string_view Bare(std::string_view s) {
  s = TrimBlanks(s);
  if (!s.empty() && s.front() == '[') {
    const auto end = s.find(']');
    return end == std::string_view::npos ? std::string_view() : s.substr(1, end - 1);
  }
  const auto colon = s.find(':');
  if (colon != std::string_view::npos && s.find(':', colon + 1) == std::string_view::npos)
    return s.substr(0, colon);
  return s;
}

}  // namespace

std::optional<IpBytes> ParseIp(std::string_view text) {
  const std::string_view bare = Bare(text);
  char z[INET6_ADDRSTRLEN + 1];
  if (bare.empty() || bare.size() >= sizeof z) return std::nullopt;
  std::memcpy(z, bare.data(), bare.size());
  z[bare.size()] = 0;
  IpBytes ip{};
  if (::inet_pton(AF_INET6, z, ip.data()) == 1) return ip;
  ip = {};
  ip[10] = ip[11] = 0xff;
  if (::inet_pton(AF_INET, z, ip.data() + 12) == 1) return ip;
  return std::nullopt;
}

bool TrustedProxies::Add(std::string_view cidr) {
  const auto slash = cidr.find('/');
  const std::string_view host = cidr.substr(0, slash);
  const auto ip = ParseIp(host);
  if (!ip) return false;
  const bool v4 = host.find(':') == std::string_view::npos;
  int bits = v4 ? 32 : 128;
  if (slash != std::string_view::npos) {
    const std::string_view text = cidr.substr(slash + 1);
    int given = -1;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), given);
    if (r.ec != std::errc() || r.ptr != text.data() + text.size() || given < 0 || given > bits)
      return false;
    bits = given;
  }
  blocks_.push_back({*ip, v4 ? bits + 96 : bits});
  return true;
}

bool TrustedProxies::Contains(const IpBytes& ip) const {
  return std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& b) {
    const auto whole = static_cast<std::size_t>(b.bits / 8);
    if (std::memcmp(ip.data(), b.address.data(), whole) != 0) return false;
    if (b.bits % 8 == 0) return true;
    const int shift = 8 - b.bits % 8;
    return ip[whole] >> shift == b.address[whole] >> shift;
  });
}

std::string_view ClientIp(const TrustedProxies& trusted, std::string_view peer,
                          std::string_view forwarded_for) {
  if (forwarded_for.empty() || trusted.empty()) return peer;
  const auto peer_ip = ParseIp(peer);
  if (!peer_ip || !trusted.Contains(*peer_ip)) return peer;
  constexpr std::size_t kWindow = 2048;
  bool cut = forwarded_for.size() > kWindow;
  std::string_view rest = forwarded_for.substr(cut ? forwarded_for.size() - kWindow : 0);
  std::string_view client = peer;
  for (int hop = 0; hop < 32 && !rest.empty(); ++hop) {
    const auto comma = rest.rfind(',');
    if (comma == std::string_view::npos && cut) break;  // may be half an address
    const std::string_view item =
        Bare(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(0, comma);
    const auto ip = ParseIp(item);
    if (!ip) break;  // what stands left of nonsense was not written by a proxy of ours
    client = item;
    if (!trusted.Contains(*ip)) break;
  }
  return client;
}

}  // namespace millrace::app_metrics
