// Which proxy a request takes: proxy_url, or the environment's HTTP_PROXY, HTTPS_PROXY, NO_PROXY.
#include <cstdlib>

#include "common/base/strings.h"
#include "exporters/uptime_probe/http/transport.h"
#include "exporters/uptime_probe/io/ip.h"

namespace millrace::uptime_probe::web {
namespace {

std::string Environment(const char* upper, const char* lower) {
  if (const char* v = std::getenv(upper); v != nullptr && *v != '\0') return v;
  if (const char* v = std::getenv(lower); v != nullptr) return v;
  return {};
}

bool InNetwork(const IpAddress& ip, std::string_view network) {
  const auto slash = network.find('/');
  const auto base = ParseIp(network.substr(0, slash));
  const auto bits = ParseNumber<unsigned>(network.substr(slash + 1));
  if (!base || !bits || base->v6 != ip.v6 || *bits > (ip.v6 ? 128U : 32U)) return false;
  for (unsigned i = 0; i < *bits; ++i) {
    const unsigned mask = 0x80U >> (i % 8);
    if ((base->bytes[i / 8] & mask) != (ip.bytes[i / 8] & mask)) return false;
  }
  return true;
}

}  // namespace

bool BypassesProxy(std::string_view list, std::string_view host, std::string_view port) {
  const auto ip = ParseIp(host);
  if (EqualsIgnoreCase(host, "localhost")) return true;
  if (ip && (ip->v6 ? ip->Text() == "::1" : ip->bytes[0] == 127)) return true;
  const std::string name = ToLower(host);
  for (std::string_view item : Split(list, ',')) {
    item = Trim(item);
    if (item.empty()) continue;
    if (item == "*") return true;
    if (item.find('/') != std::string_view::npos) {
      if (ip && InNetwork(*ip, item)) return true;
      continue;
    }
    std::string rule = ToLower(item);
    if (const auto split = SplitHostPort(rule)) {
      if (split->second != port) continue;
      rule = split->first;
    }
    if (const auto rule_ip = ParseIp(rule)) {
      if (ip && *ip == *rule_ip) return true;
      continue;
    }
    if (rule.starts_with("*.")) rule.erase(0, 1);
    if (rule.starts_with('.')) {
      if (name.ends_with(rule)) return true;
    } else if (name == rule || name.ends_with("." + rule)) {
      return true;
    }
  }
  return false;
}

std::string ChooseProxy(const ProxyConfig& config, const Url& url) {
  if (config.proxy_from_environment) {
    if (BypassesProxy(Environment("NO_PROXY", "no_proxy"), url.HostName(), url.PortOrDefault()))
      return {};
    return url.IsTls() ? Environment("HTTPS_PROXY", "https_proxy")
                       : Environment("HTTP_PROXY", "http_proxy");
  }
  if (!config.proxy_url.empty() && !config.no_proxy.empty() &&
      BypassesProxy(config.no_proxy, url.HostName(), url.PortOrDefault()))
    return {};
  return config.proxy_url;
}

}  // namespace millrace::uptime_probe::web
