// The same cpp-httplib server: bare, with the middleware, and with prometheus-cpp by hand; for wrk.
//   server_bench bare|middleware|byhand PORT
#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "millrace/app_metrics/httplib.h"

namespace {

void AddHandler(httplib::Server& server) {
  server.Get(R"(/users/(\d+))", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content("user " + std::string(req.matches[1]), "text/plain");
  });
}

/// What people write: a counter and a histogram looked up by labels in the logger.
void ByHand(httplib::Server& server, prometheus::Registry& registry) {
  static auto& requests =
      prometheus::BuildCounter().Name("http_requests_total").Help("Requests").Register(registry);
  static auto& durations =
      prometheus::BuildHistogram().Name("http_duration_seconds").Help("Time").Register(registry);
  server.set_pre_routing_handler([](const httplib::Request&, httplib::Response& res) {
    res.set_header("X-Start", "1");
    return httplib::Server::HandlerResponse::Unhandled;
  });
  server.set_logger([](const httplib::Request& req, const httplib::Response& res) {
    const std::map<std::string, std::string> labels = {
        {"method", req.method}, {"route", "/users/:id"}, {"status", std::to_string(res.status)}};
    requests.Add(labels).Increment();
    durations
        .Add(labels, prometheus::Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01, 0.025,
                                                             0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10})
        .Observe(0.001);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string mode = argv[1];
  httplib::Server server;
  server.set_keep_alive_max_count(1'000'000'000);
  // Without it the kernels of both ends wait 40 ms for each other and nothing is measured.
  server.set_tcp_nodelay(true);
  prometheus::Registry registry;
  std::optional<millrace::AppMetrics> metrics;
  if (mode == "middleware") {
    millrace::app_metrics::Options o;
    o.access_log.path = "/dev/null";
    metrics.emplace(o);
    metrics->attach(server);
  } else if (mode == "byhand") {
    ByHand(server, registry);
  }
  AddHandler(server);
  return server.listen("127.0.0.1", std::atoi(argv[2])) ? 0 : 1;
}
