// The three lines of docs/app-metrics.md, and one request to see that they work.
#include <cstdio>
#include <thread>

#include <millrace/app_metrics/httplib.h>

int main() {
  httplib::Server server;
  millrace::AppMetrics metrics{{.service = "orders", .version = "1.4.0"}};
  metrics.attach(server);

  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });
  httplib::Client client("127.0.0.1", port);
  const auto health = client.Get("/health");
  const auto page = client.Get("/metrics");
  const bool good = health && health->status == 200 && page &&
                    page->body.find("app_build_info{service=\"orders\",version=\"1.4.0\"") !=
                        std::string::npos;
  std::puts(good ? "good" : "bad");
  server.stop();
  thread.join();
  return good ? 0 : 1;
}
