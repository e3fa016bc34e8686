// The proxy between raw clients and back-ends of the test.
#include "exporters/app_metrics/sidecar/proxy.h"

#include <atomic>
#include <mutex>

#include <poll.h>

#include "exporters/app_metrics/sidecar/log_tail.h"
#include "tests/unit/app_metrics/support.h"

using namespace app_metrics_test;
using namespace millrace::app_metrics;
using namespace millrace::app_metrics::sidecar;

namespace {

class Socket {
 public:
  explicit Socket(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // No assertion: Catch2 allows them on one thread only. A failure shows as an empty answer.
    if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fd_.Reset();
  }
  explicit Socket(millrace::Fd fd) : fd_(std::move(fd)) {}
  void Send(const std::string& text) {
    std::size_t at = 0;
    while (at < text.size()) {
      const ssize_t n = ::send(fd_.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<std::size_t>(n);
    }
  }
  /// Reads until `text` is in what came, the end, or 60 s without a byte.
  std::string Until(const std::string& text) {
    while (text.empty() || seen_.find(text) == std::string::npos) {
      pollfd p{fd_.get(), POLLIN, 0};
      if (::poll(&p, 1, 60'000) <= 0) break;
      char buffer[16384];
      const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (n <= 0) break;
      seen_.append(buffer, static_cast<std::size_t>(n));
    }
    return std::exchange(seen_, "");
  }
  std::string All() { return Until(""); }
  void Close() { fd_.Reset(); }
  void EndWriting() { ::shutdown(fd_.get(), SHUT_WR); }

 private:
  millrace::Fd fd_;
  std::string seen_;
};

/// Accepts connections and gives each to `serve` on a thread of its own.
class Backend {
 public:
  explicit Backend(std::function<void(Socket&)> serve) : serve_(std::move(serve)) {
    fd_ = millrace::Fd(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(fd_.get(), 128) == 0);
    socklen_t size = sizeof at;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    acceptor_ = std::thread([this] {
      for (;;) {
        millrace::Fd c(::accept(fd_.get(), nullptr, nullptr));
        if (!c) return;
        ++connections;
        threads_.emplace_back([this, s = std::make_shared<Socket>(std::move(c))] { serve_(*s); });
      }
    });
  }
  ~Backend() {
    ::shutdown(fd_.get(), SHUT_RDWR);
    acceptor_.join();
    for (auto& t : threads_) t.join();
  }
  int port = 0;
  std::atomic<int> connections{0};

 private:
  std::function<void(Socket&)> serve_;
  millrace::Fd fd_;
  std::thread acceptor_;
  std::vector<std::thread> threads_;
};

Options Guessing() {
  Options o = QuietOptions();
  o.guess_routes = true;
  return o;
}

struct Rig {
  explicit Rig(int backend_port, const std::function<void(ProxyOptions&)>& change = {})
      : metrics(Guessing()) {
    ProxyOptions o;
    o.listen = "127.0.0.1:0";
    o.backend = "127.0.0.1:" + std::to_string(backend_port);
    o.threads = 2;
    if (change) change(o);
    auto started = Proxy::Start(o, metrics);
    REQUIRE(started);
    proxy = std::move(*started);
  }
  bool Reaches(const std::string& line) {
    return Eventually(
        [&] { return metrics.page("").body->find("\n" + line + "\n") != std::string::npos; });
  }
  millrace::AppMetrics metrics;
  std::unique_ptr<Proxy> proxy;
};

std::string Get(const std::string& path, const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: example\r\n" + more + "\r\n";
}

TEST_CASE("a request goes through with ids and addresses, on kept connections") {
  std::string seen;
  Backend backend([&](Socket& s) {
    for (;;) {
      const std::string request = s.Until("\r\n\r\n");
      if (request.empty()) return;
      seen = request;
      s.Send(
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\nX-Backend: "
          "1\r\n\r\nhello");
    }
  });
  Rig rig(backend.port);
  Socket client(rig.proxy->port());
  for (int i = 0; i < 5; ++i) {
    client.Send(Get("/users/" + std::to_string(i),
                    "X-Request-ID: abc\r\nX-Forwarded-For: 9.9.9.9\r\n"
                    "Connection: keep-alive, X-Private\r\nX-Private: 1\r\n"));
    const std::string reply = client.Until("hello");
    CHECK(reply.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(reply.find("X-Backend: 1\r\n") != std::string::npos);
    CHECK(reply.find("X-Request-ID: abc\r\n") != std::string::npos);
    CHECK(reply.find("Keep-Alive") == std::string::npos);
  }
  CHECK(seen.find("X-Request-ID: abc\r\n") != std::string::npos);
  CHECK(seen.find("traceparent: 00-") != std::string::npos);
  CHECK(seen.find("X-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n") != std::string::npos);
  CHECK(seen.find("X-Private") == std::string::npos);
  CHECK(seen.find("Host: example\r\n") != std::string::npos);
  CHECK(backend.connections == 1);
  client.Close();
  CHECK(rig.Reaches(
      R"(http_server_requests_total{method="GET",route="/users/{id}",status="200"} 5)"));
  CHECK(rig.Reaches(R"(http_server_requests_in_flight{method="GET"} 0)"));
}

TEST_CASE("bodies stream both ways: length, chunked, until close, HTTP/1.0, pipelined") {
  const std::string big(3'000'000, 'b');
  Backend backend([&](Socket& s) {
    for (;;) {
      std::string request = s.Until("\r\n\r\n");
      if (request.empty()) return;
      if (request.starts_with("POST /count")) {
        // What came: everything up to END.
        if (request.find("END") == std::string::npos) request += s.Until("END");
        const auto n = static_cast<std::size_t>(std::count(request.begin(), request.end(), 'z'));
        s.Send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(std::to_string(n).size()) +
               "\r\n\r\n" + std::to_string(n));
      } else if (request.starts_with("GET /chunked")) {
        s.Send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n "
            "world\r\n0\r\n\r\n");
      } else if (request.starts_with("GET /close")) {
        s.Send("HTTP/1.1 200 OK\r\n\r\n" + big);
        return s.Close();
      } else if (request.starts_with("HEAD")) {
        s.Send("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n");
      } else {
        s.Send("HTTP/1.1 204 No Content\r\n\r\n");
      }
    }
  });
  Rig rig(backend.port);
  {
    Socket c(rig.proxy->port());
    c.Send("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 1000003\r\n\r\n" +
           std::string(1'000'000, 'z') + "END");
    CHECK(c.Until("1000000").find("1000000") != std::string::npos);
    c.Send(
        "POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3\r\nzzz\r\n3\r\nEND\r\n0\r\n\r\n");
    CHECK(c.Until("\r\n\r\n3").ends_with("3"));
    c.Send(Get("/chunked") + Get("/nothing") + "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n" +
           Get("/chunked"));
    std::string all;
    while (all.find("999") == std::string::npos || !all.ends_with("0\r\n\r\n")) {
      const std::string more = c.Until("0\r\n\r\n");
      if (more.empty()) break;
      all += more;
    }
    CHECK(all.find("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nHTTP/1.1 204") != std::string::npos);
    CHECK(all.ends_with("0\r\n\r\n"));
  }
  {
    Socket c(rig.proxy->port());
    c.Send(Get("/close"));
    const std::string reply = c.All();
    CHECK(reply.size() > big.size());
    CHECK(reply.find("Connection: close") != std::string::npos);
  }
  {
    Socket c(rig.proxy->port());
    c.Send("GET /chunked HTTP/1.0\r\n\r\n");
    const std::string reply = c.All();
    CHECK(reply.ends_with("\r\n\r\nhello world"));
    CHECK(reply.find("chunked") == std::string::npos);
  }
}

TEST_CASE("an upgrade becomes a tunnel") {
  Backend backend([](Socket& s) {
    const std::string request = s.Until("\r\n\r\n");
    if (request.find("Upgrade: websocket") == std::string::npos) return;
    s.Send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: x\r\n\r\nfirst");
    std::string got = s.Until("ping");
    s.Send("pong:" + got);
    s.Until("never");  // until the client hangs up
  });
  Rig rig(backend.port);
  Socket c(rig.proxy->port());
  c.Send(Get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: y\r\n"));
  const std::string head = c.Until("first");
  CHECK(head.starts_with("HTTP/1.1 101"));
  CHECK(head.find("Sec-WebSocket-Accept: x") != std::string::npos);
  CHECK(rig.proxy->stats().upgraded == 1);
  c.Send("\x01\x02ping");
  CHECK(c.Until("ping").find("pong:\x01\x02ping") != std::string::npos);
  c.Close();
  CHECK(Eventually(
      [&] { return rig.proxy->stats().upgraded == 0 && rig.proxy->stats().clients == 0; }));
  CHECK(rig.Reaches(R"(http_server_requests_total{method="GET",route="/ws",status="101"} 1)"));
}

TEST_CASE("back-ends that fail: refused, silent, mute, nonsense, half an answer") {
  int dead_port = 0;
  {
    Backend once([](Socket&) {});
    dead_port = once.port;
  }
  {
    Rig rig(dead_port);
    Socket c(rig.proxy->port());
    c.Send(Get("/x", "X-Request-ID: lost\r\n"));
    const std::string reply = c.All();
    CHECK(reply.starts_with("HTTP/1.1 502 "));
    CHECK(reply.find("X-Request-ID: lost") != std::string::npos);
    CHECK(rig.Reaches(R"(http_server_requests_total{method="GET",route="/x",status="502"} 1)"));
  }
  Backend backend([](Socket& s) {
    const std::string request = s.Until("\r\n\r\n");
    if (request.starts_with("GET /silent")) s.Until("never");
    if (request.starts_with("GET /nonsense")) s.Send("SSH-2.0-OpenSSH\r\n\r\n");
    if (request.starts_with("GET /half"))
      s.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    s.Close();
  });
  Rig rig(backend.port,
          [](ProxyOptions& o) { o.response_timeout = std::chrono::milliseconds(300); });
  const auto ask = [&](const std::string& path) {
    Socket c(rig.proxy->port());
    c.Send(Get(path));
    return c.All();
  };
  CHECK(ask("/silent").starts_with("HTTP/1.1 504 "));
  CHECK(ask("/mute").starts_with("HTTP/1.1 502 "));
  CHECK(ask("/nonsense").starts_with("HTTP/1.1 502 "));
  CHECK(ask("/half").ends_with("half"));  // and the connection is cut, not kept
}

TEST_CASE("a kept back-end connection that was closed meanwhile costs no request") {
  std::atomic<int> served{0};
  Backend backend([&](Socket& s) {
    s.Until("\r\n\r\n");
    s.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ++served;
    s.Until("\r\n\r\n");  // takes the second request and hangs up
    s.Close();
  });
  Rig rig(backend.port, [](ProxyOptions& o) { o.threads = 1; });
  for (int i = 0; i < 4; ++i) {
    Socket c(rig.proxy->port());
    c.Send(Get("/"));
    CHECK(c.Until("ok").ends_with("ok"));
  }
  CHECK(rig.proxy->stats().backend_retries >= 1);
}

TEST_CASE("clients that are rude") {
  Backend backend([](Socket& s) {
    while (!s.Until("\r\n\r\n").empty()) s.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  Rig rig(backend.port, [](ProxyOptions& o) {
    o.head_timeout = std::chrono::milliseconds(300);
    o.max_connections = 8;
  });
  const auto ask = [&](const std::string& text) {
    Socket c(rig.proxy->port());
    c.Send(text);
    return c.All();
  };
  CHECK(ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
  CHECK(ask("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")
            .starts_with("HTTP/1.1 400"));
  CHECK(ask("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(1 << 20, 'a') + "\r\n\r\n")
            .starts_with("HTTP/1.1 431"));
  CHECK(ask("CONNECT example:443 HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 501"));
  CHECK(ask("GET / HTTP/1.1\r\nHos").empty());  // the head never ends
  {
    Socket gone(rig.proxy->port());
    gone.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
    gone.Close();
  }
  CHECK(rig.Reaches(R"(http_server_requests_total{method="POST",route="/",status="499"} 1)"));
  CHECK(Eventually([&] { return rig.proxy->stats().clients == 0; }));
  std::vector<std::unique_ptr<Socket>> many;
  for (int i = 0; i < 8; ++i) {
    many.push_back(std::make_unique<Socket>(rig.proxy->port()));
    many.back()->Send(Get("/"));
    CHECK(many.back()->Until("ok").ends_with("ok"));
  }
  CHECK(ask(Get("/")).starts_with("HTTP/1.1 503"));
}

TEST_CASE("many clients at once") {
  Backend backend([](Socket& s) {
    while (!s.Until("\r\n\r\n").empty()) s.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  Rig rig(backend.port);
  std::vector<std::thread> clients;
  std::atomic<int> good{0};
  for (int i = 0; i < 16; ++i)
    clients.emplace_back([&] {
      Socket c(rig.proxy->port());
      for (int k = 0; k < 100; ++k) {
        c.Send(Get("/load"));
        if (c.Until("ok").ends_with("ok")) ++good;
      }
    });
  for (auto& c : clients) c.join();
  CHECK(good == 1600);
  CHECK(rig.Reaches(R"(http_server_requests_total{method="GET",route="/load",status="200"} 1600)"));
}

TEST_CASE("log mode follows files through rotation and truncation") {
  TempDir dir;
  const std::string path = dir.File("access.log");
  const auto line = [](int status) {
    return "1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET /u/12345 HTTP/1.1\" " +
           std::to_string(status) + " 10 \"-\" \"curl\"\n";
  };
  const auto append = [&](const std::string& text) { std::ofstream(path, std::ios::app) << text; };
  append(line(500));  // before the start: not counted
  millrace::AppMetrics metrics(Guessing());
  auto tail = LogTail::Start({path}, "nginx_combined", false, metrics);
  REQUIRE(tail);
  const auto count = [&](int status, int n) {
    const std::string wanted =
        "\nhttp_server_requests_total{method=\"GET\",route=\"/u/{id}\",status=\"" +
        std::to_string(status) + "\"} " + std::to_string(n) + "\n";
    return Eventually([&] { return metrics.page("").body->find(wanted) != std::string::npos; });
  };
  append(line(200) + line(200) + "garbage\n" + line(404).substr(0, 30));
  CHECK(count(200, 2));
  append(line(404).substr(30));
  CHECK(count(404, 1));
  std::filesystem::rename(path, path + ".1");
  std::ofstream(path + ".1", std::ios::app)
      << line(200);  // what nginx still writes into the old file
  CHECK(count(200, 3));
  append(line(201));
  CHECK(count(201, 1));
  std::filesystem::resize_file(path, 0);
  CHECK(Eventually([&] { return (*tail)->stats().rotations >= 2; }));
  append(std::string(200'000, 'x') + "\n" + line(202));
  CHECK(count(202, 1));
  CHECK((*tail)->stats().unparsed == 1);
  CHECK((*tail)->stats().too_long == 1);
  CHECK(metrics.page("").body->find("status=\"500\"") == std::string::npos);
  CHECK_FALSE(LogTail::Start({path}, "nope", false, metrics));
}

}  // namespace
