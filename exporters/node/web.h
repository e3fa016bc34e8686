#pragma once
// The HTTP side of the node exporter: /metrics, the landing page, health.
#include <memory>

#include "common/flags/flags.h"
#include "common/http/server.h"
#include "exporters/node/scrape.h"

namespace millrace::node {

/// --web.* flags and --runtime.gomaxprocs.
void DeclareWebFlags(FlagSet& flags);

/// Listens and serves until the server is destroyed. `scraper` must outlive it.
[[nodiscard]] Result<std::unique_ptr<http::Server>> StartWeb(const FlagSet& flags,
                                                             Scraper& scraper);

}  // namespace millrace::node
