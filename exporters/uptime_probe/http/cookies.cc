#include "exporters/uptime_probe/http/cookies.h"

#include <algorithm>

#include "common/base/strings.h"
#include "exporters/uptime_probe/io/ip.h"

namespace millrace::uptime_probe::web {
namespace {

constexpr std::size_t kMostCookies = 50, kMostBytes = 4096;

bool CoversDomain(std::string_view domain, std::string_view host) {
  return EqualsIgnoreCase(host, domain) ||
         (host.size() > domain.size() && host[host.size() - domain.size() - 1] == '.' &&
          EqualsIgnoreCase(host.substr(host.size() - domain.size()), domain) && !ParseIp(host));
}

bool CoversPath(std::string_view prefix, std::string_view path) {
  if (path.empty()) path = "/";
  if (!path.starts_with(prefix)) return false;
  return path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/';
}

std::string DefaultPath(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : std::string(path.substr(0, slash));
}

}  // namespace

void CookieJar::Store(const Url& url, const Headers& response) {
  for (const std::string_view line : response.All("Set-Cookie")) {
    if (line.size() > kMostBytes) continue;
    const auto parts = Split(line, ';');
    const auto equals = parts[0].find('=');
    if (equals == std::string_view::npos) continue;
    Cookie c;
    c.name = std::string(Trim(parts[0].substr(0, equals)));
    c.value = std::string(Trim(parts[0].substr(equals + 1)));
    c.domain = url.HostName();
    c.path = DefaultPath(url.path);
    bool keep = IsToken(c.name), expired = false;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const auto mark = parts[i].find('=');
      const std::string_view key = Trim(parts[i].substr(0, mark));
      std::string_view value =
          mark == std::string_view::npos ? std::string_view() : Trim(parts[i].substr(mark + 1));
      if (EqualsIgnoreCase(key, "secure")) c.secure = true;
      if (EqualsIgnoreCase(key, "path") && value.starts_with('/')) c.path = std::string(value);
      if (EqualsIgnoreCase(key, "max-age"))
        expired = ParseNumber<std::int64_t>(value).value_or(1) <= 0;
      if (EqualsIgnoreCase(key, "domain") && !value.empty()) {
        if (value.starts_with('.')) value.remove_prefix(1);
        keep = keep && CoversDomain(value, c.domain) &&
               (value.find('.') != std::string_view::npos || EqualsIgnoreCase(value, c.domain));
        c.domain = std::string(value);
        c.host_only = false;
      }
    }
    if (!keep) continue;
    std::erase_if(cookies_, [&c](const Cookie& old) {
      return old.name == c.name && old.domain == c.domain && old.path == c.path;
    });
    if (!expired && cookies_.size() < kMostCookies) cookies_.push_back(std::move(c));
  }
}

std::string CookieJar::For(const Url& url) const {
  const std::string host = url.HostName();
  std::vector<const Cookie*> chosen;
  for (const Cookie& c : cookies_)
    if ((c.host_only ? EqualsIgnoreCase(c.domain, host) : CoversDomain(c.domain, host)) &&
        CoversPath(c.path, url.path) && (!c.secure || url.IsTls()))
      chosen.push_back(&c);
  std::stable_sort(chosen.begin(), chosen.end(), [](const Cookie* a, const Cookie* b) {
    return a->path.size() > b->path.size();
  });
  std::string out;
  for (const Cookie* c : chosen) {
    if (!out.empty()) out += "; ";
    out += c->name + "=" + c->value;
  }
  return out;
}

}  // namespace millrace::uptime_probe::web
