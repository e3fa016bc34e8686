#pragma once
// The cookies of one probe: servers that set one and redirect expect it back.
#include <string>
#include <vector>

#include "exporters/uptime_probe/http/headers.h"
#include "exporters/uptime_probe/http/url.h"

namespace millrace::uptime_probe::web {

/// Bounded; RFC 6265 without expiry dates, for a jar that lives as long as a probe. A Domain
/// attribute is honoured when it has a dot and covers the host that set it.
class CookieJar {
 public:
  void Store(const Url& url, const Headers& response);
  /// The value of the Cookie header, or "".
  [[nodiscard]] std::string For(const Url& url) const;

 private:
  struct Cookie {
    std::string name, value, domain, path;
    bool host_only = true, secure = false;
  };
  std::vector<Cookie> cookies_;
};

}  // namespace millrace::uptime_probe::web
