#include "agent/command/web.h"

#include "common/http/landing_page.h"
#include "common/http/server.h"
#include "common/log/log.h"

namespace millrace::agent {

struct WebEndpoints::Impl {
  MetricsRegistry& metrics;
  Topology& topology;
  std::unique_ptr<http::Server> server;
};

WebEndpoints::WebEndpoints(MetricsRegistry& metrics, Topology& topology)
    : impl_(new Impl{metrics, topology, nullptr}) {}
WebEndpoints::~WebEndpoints() = default;

Status WebEndpoints::Start(const WebConfig& config) {
  http::ServerOptions options;
  options.listen_addresses = config.listen_addresses;
  options.web_config_file = config.config_file;
  options.max_workers = 4;
  http::Routes routes;
  routes.Exact("/metrics", [impl = impl_.get()](const http::Request&, http::Response& response) {
    response.SetContentType("text/plain; version=0.0.4; charset=utf-8");
    response.body = impl->metrics.Expose();
  });
  http::AddHealthRoutes(routes, [impl = impl_.get()]() -> std::string {
    return impl->topology.Failed() ? impl->topology.Failure() : "";
  });
  http::AddLandingPage(
      routes, {"Millrace Agent",
               "Tails, parses, batches, compresses and ships logs",
               MILLRACE_VERSION,
               {{"metrics", "Metrics", "Events, bytes, errors, queues and lag of every component"},
                {"-/healthy", "Health", "The process runs"},
                {"-/ready", "Readiness", "No component has failed"}}});
  MILLRACE_ASSIGN(impl_->server, http::Server::Start(std::move(options), std::move(routes)));
  return {};
}

void WebEndpoints::Stop() { impl_->server.reset(); }

}  // namespace millrace::agent
