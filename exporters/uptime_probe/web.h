#pragma once
// The HTTP side: landing page, /probe, /metrics, /config, /logs, /history, /-/reload and health.
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/flags/flags.h"
#include "common/http/server.h"
#include "exporters/uptime_probe/handler.h"

namespace millrace::uptime_probe {

/// The path under which everything is served, with a slash at both ends, and where "/" leads when
/// that is not "/".
struct WebPrefix {
  std::string route = "/", external;
};
/// kInvalidArgument for an external URL that is none.
[[nodiscard]] Result<WebPrefix> MakeWebPrefix(const std::string& external_url,
                                              const std::string& route_prefix);

/// "millrace-uptime-probe, version ..."
[[nodiscard]] std::string VersionText();

/// Everything but the sockets. The references must outlive the routes.
[[nodiscard]] http::Routes MakeRoutes(const WebPrefix& prefix, ConfigStore& store, History& history,
                                      ProbeHandler& handler);

}  // namespace millrace::uptime_probe
