#include "common/http/server.h"

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/http/landing_page.h"
#include "tests/support/catch.h"

namespace millrace::http {
namespace {

using namespace std::chrono_literals;

Routes TestRoutes() {
  Routes routes;
  routes.Exact("/metrics", [](const Request& q, Response& r) {
    r.SetContentType("text/plain");
    r.body.append(q.method).append(" ").append(q.query).append("\n");
  });
  routes.Exact("/echo", [](const Request& q, Response& r) { r.body.assign(q.body); });
  routes.Exact("/big", [](const Request&, Response& r) { r.body.assign(8 << 20, 'x'); });
  routes.Exact("/view", [](const Request&, Response& r) {
    auto text = std::make_shared<const std::string>(3 << 20, 'v');
    r.view = *text;
    r.hold = text;
  });
  routes.Prefix("/p/", [](const Request& q, Response& r) { r.body.assign(q.path); });
  AddHealthRoutes(routes);
  AddLandingPage(routes, {"Test <Exporter>", "About", "1", {{"/metrics", "Metrics", ""}}});
  return routes;
}

std::unique_ptr<Server> StartServer(ServerOptions options = {}, Routes routes = TestRoutes()) {
  if (options.listen_addresses.empty()) options.listen_addresses = {"127.0.0.1:0"};
  auto server = Server::Start(std::move(options), std::move(routes));
  if (!server) FAIL(server.error().message);
  return std::move(*server);
}

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval limit{60, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    // No REQUIRE: clients are made on threads, where Catch must not be used. Without a connection
    // every answer is empty.
    if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fd_.Reset();
  }
  bool Send(std::string_view text) {
    return ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  /// Until the server closes.
  std::string ReadAll() {
    std::string all;
    char part[65536];
    for (;;) {
      const ssize_t n = ::recv(fd_.get(), part, sizeof part, 0);
      if (n <= 0) return all;
      all.append(part, static_cast<std::size_t>(n));
    }
  }
  /// Until `end` arrived.
  std::string ReadUntil(std::string_view end) {
    std::string all;
    char c = 0;
    while (!all.ends_with(end) && ::recv(fd_.get(), &c, 1, 0) == 1) all += c;
    return all;
  }

 private:
  Fd fd_;
};

std::string Ask(std::uint16_t port, const std::string& request) {
  Client c(port);
  c.Send(request);
  return c.ReadAll();
}
std::string Get(std::uint16_t port, const std::string& path) {
  return Ask(port, "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
}
std::string BodyOf(const std::string& answer) {
  const auto at = answer.find("\r\n\r\n");
  return at == std::string::npos ? "" : answer.substr(at + 4);
}

TEST_CASE("Requests reach their handlers") {
  const auto server = StartServer();
  const auto port = server->port();
  CHECK(BodyOf(Get(port, "/metrics?x=1&y=2")) == "GET x=1&y=2\n");
  CHECK(BodyOf(Get(port, "/%6Detrics")) == "GET \n");
  CHECK(BodyOf(Get(port, "/p/a%20b")) == "/p/a b");
  CHECK_THAT(Get(port, "/nosuch"), Catch::StartsWith("HTTP/1.1 404 Not Found\r\n"));
  CHECK_THAT(Get(port, "/metrics/"), Catch::StartsWith("HTTP/1.1 404"));
  CHECK_THAT(Get(port, "//metrics?a=b"), Catch::StartsWith("HTTP/1.1 307") &&
                                             Catch::Contains("\r\nLocation: /metrics?a=b\r\n"));
  CHECK(BodyOf(Get(port, "/-/healthy")) == "OK\n");
  CHECK_THAT(Get(port, "/"), Catch::Contains("Test &lt;Exporter&gt;"));
  CHECK_THAT(Get(port, "/%zz"), Catch::StartsWith("HTTP/1.1 400"));
  CHECK_THAT(Ask(port, "GET /metrics HTTP/1.0\r\n\r\n"), Catch::StartsWith("HTTP/1.0 200 OK\r\n"));
  CHECK(
      BodyOf(Ask(port, "GET http://o/metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")) ==
      "GET \n");
  const std::string head =
      Ask(port, "HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK_THAT(head, Catch::Contains("Content-Length: 6\r\n"));
  CHECK(BodyOf(head).empty());
}

TEST_CASE("Bodies of both kinds arrive, and too large ones do not") {
  ServerOptions options;
  options.max_body_bytes = 100'000;
  const auto server = StartServer(options);
  const auto post = [&](const std::string& rest) {
    return Ask(server->port(), "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + rest);
  };
  CHECK(BodyOf(post("Content-Length: 5\r\n\r\nhello")) == "hello");
  CHECK(BodyOf(post("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")) == "hello");
  const std::string large(90'000, 'z');
  CHECK(BodyOf(post("Content-Length: 90000\r\n\r\n" + large)) == large);
  CHECK_THAT(post("Content-Length: 100001\r\n\r\n"), Catch::StartsWith("HTTP/1.1 413"));
  CHECK_THAT(post("Transfer-Encoding: chunked\r\n\r\nfffff\r\n"),
             Catch::StartsWith("HTTP/1.1 413"));
  Client c(server->port());
  c.Send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(c.ReadUntil("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  c.Send("ok");
  CHECK_THAT(c.ReadUntil("\r\n\r\nok"), Catch::StartsWith("HTTP/1.1 200"));
}

TEST_CASE("A connection serves many requests, pipelined ones too") {
  ServerOptions options;
  options.max_requests_per_connection = 4;
  const auto server = StartServer(options);
  Client c(server->port());
  std::string requests;
  for (int i = 0; i < 3; ++i)
    requests += "GET /metrics?" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  c.Send(requests);
  for (int i = 0; i < 3; ++i)
    CHECK_THAT(c.ReadUntil("GET " + std::to_string(i) + "\n"), Catch::StartsWith("HTTP/1.1 200"));
  c.Send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK_THAT(c.ReadAll(), Catch::Contains("Connection: close\r\n"));
  CHECK(server->stats().connections == 1);
  CHECK(server->stats().requests == 4);
}

TEST_CASE("Answers larger than the socket's buffer arrive whole") {
  const auto server = StartServer();
  CHECK(BodyOf(Get(server->port(), "/big")) == std::string(8 << 20, 'x'));
  CHECK(BodyOf(Get(server->port(), "/view")) == std::string(3 << 20, 'v'));
}

TEST_CASE("Malformed requests are answered, also when more than the limit was sent") {
  const auto server = StartServer();
  CHECK_THAT(Ask(server->port(), "garbage\r\n\r\n"), Catch::StartsWith("HTTP/1.1 400 Bad Request"));
  CHECK_THAT(Ask(server->port(), "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1'100'000, 'y')),
             Catch::StartsWith("HTTP/1.1 431"));
  CHECK(server->stats().bad_requests == 2);
}

TEST_CASE("Drip-fed connections are cut and do not hold anybody up") {
  ServerOptions options;
  options.head_timeout = 500ms;
  options.max_connections = 40;
  options.max_workers = 2;
  const auto server = StartServer(options);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 30; ++i) {
    slow.push_back(std::make_unique<Client>(server->port()));
    slow.back()->Send("GET /metrics HTTP/1.1\r\n");
  }
  CHECK_THAT(Get(server->port(), "/metrics"), Catch::StartsWith("HTTP/1.1 200"));
  const auto limit = std::chrono::steady_clock::now() + 60s;
  std::size_t drips = 0;
  while (server->stats().head_timeouts < 30 && std::chrono::steady_clock::now() < limit) {
    slow[drips++ % slow.size()]->Send("X");  // never ends its head
    std::this_thread::yield();
  }
  CHECK(server->stats().head_timeouts == 30);
}

TEST_CASE("When connections run out the oldest makes room") {
  ServerOptions options;
  options.max_connections = 5;
  const auto server = StartServer(options);
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 20; ++i) idle.push_back(std::make_unique<Client>(server->port()));
  CHECK_THAT(Get(server->port(), "/metrics"), Catch::StartsWith("HTTP/1.1 200"));
  CHECK(server->stats().evicted >= 15);
  CHECK(server->stats().refused == 0);
}

TEST_CASE("A hundred clients at once are all served, slow handlers included") {
  std::mutex mu;
  std::condition_variable enough;
  int inside = 0;
  Routes routes;
  routes.Exact("/slow", [&](const Request&, Response& r) {
    std::unique_lock lock(mu);
    ++inside;
    enough.notify_all();
    enough.wait_for(lock, 30s, [&] { return inside >= 20; });  // twenty run side by side
    r.body = "done";
  });
  ServerOptions options;
  options.max_workers = 20;
  options.worker_idle = 50ms;
  const auto server = StartServer(options, std::move(routes));
  std::vector<std::thread> clients;
  std::atomic<int> good{0};
  for (int i = 0; i < 100; ++i)
    clients.emplace_back([&] { good += BodyOf(Get(server->port(), "/slow")) == "done" ? 1 : 0; });
  for (std::thread& t : clients) t.join();
  CHECK(good == 100);
}

TEST_CASE("Stopping lets running requests finish") {
  std::mutex mu;
  std::condition_variable changed;
  bool entered = false, release = false;
  Routes routes;
  routes.Exact("/x", [&](const Request&, Response& r) {
    std::unique_lock lock(mu);
    entered = true;
    changed.notify_all();
    changed.wait_for(lock, 30s, [&] { return release; });
    r.body = "finished";
  });
  ServerOptions options;
  options.stop_grace = 30s;
  auto server = StartServer(options, std::move(routes));
  std::string answer;
  std::thread client([&, port = server->port()] { answer = Get(port, "/x"); });
  {
    std::unique_lock lock(mu);
    changed.wait_for(lock, 30s, [&] { return entered; });
  }
  std::thread stopper([&] { server.reset(); });
  {
    const std::lock_guard lock(mu);
    release = true;
  }
  changed.notify_all();
  stopper.join();
  client.join();
  CHECK(BodyOf(answer) == "finished");
}

TEST_CASE("Several listeners, and addresses that cannot be used") {
  ServerOptions options;
  options.listen_addresses = {"127.0.0.1:0", "127.0.0.1:0"};
  const auto server = StartServer(options);
  CHECK(server->addresses().size() == 2);
  for (const std::string& address : server->addresses()) {
    const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    CHECK_THAT(Get(port, "/metrics"), Catch::StartsWith("HTTP/1.1 200"));
  }
  ServerOptions taken;
  taken.listen_addresses = {server->addresses()[0]};
  const auto second = Server::Start(taken, TestRoutes());
  REQUIRE_FALSE(second);
  CHECK_THAT(second.error().message, Catch::Contains("ddress already in use"));
}

TEST_CASE("The web configuration is applied and followed") {
  char name[] = "/tmp/web_config_test_XXXXXX";
  const Fd file(mkstemp(name));
  REQUIRE(file);
  const auto rewrite = [&](const std::string& text) { std::ofstream(name) << text; };
  rewrite("http_server_config: {headers: {X-Frame-Options: deny}}\n");
  ServerOptions options;
  options.web_config_file = name;
  const auto server = StartServer(options);
  CHECK_THAT(Get(server->port(), "/"), Catch::Contains("X-Frame-Options: deny\r\n"));
  rewrite("basic_auth_users: {u: $2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW}\n");
  CHECK_THAT(Get(server->port(), "/"),
             Catch::StartsWith("HTTP/1.1 401") && Catch::Contains("WWW-Authenticate: Basic\r\n"));
  rewrite("junk: [\n");
  CHECK_THAT(Get(server->port(), "/"), Catch::StartsWith("HTTP/1.1 500"));
  rewrite("");
  CHECK_THAT(Get(server->port(), "/"), Catch::StartsWith("HTTP/1.1 200"));
  ::unlink(name);
  CHECK_THAT(Get(server->port(), "/"), Catch::StartsWith("HTTP/1.1 500"));
}

}  // namespace
}  // namespace millrace::http
