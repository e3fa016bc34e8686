// Probers against servers in this process: good ones and ones that misbehave.
#include "exporters/uptime_probe/prober.h"

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/catch.h"

namespace millrace::uptime_probe {
namespace {

/// Accepts on a port of its own and gives each connection to `serve` on a thread of its own.
class TestServer {
 public:
  explicit TestServer(std::function<void(int)> serve) : serve_(std::move(serve)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0);
    REQUIRE(::listen(listener_, 64) == 0);
    socklen_t size = sizeof a;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &size);
    port_ = ntohs(a.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~TestServer() {
    stop_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    for (auto& t : connections_) t.join();
    ::close(listener_);
  }
  [[nodiscard]] std::string Address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string Url(const std::string& path) const {
    return "http://" + Address() + path;
  }

 private:
  void Run() {
    while (!stop_) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      connections_.emplace_back([this, fd] {
        serve_(fd);
        ::close(fd);
      });
    }
  }
  std::function<void(int)> serve_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
  std::vector<std::thread> connections_;
};

std::string ReadHead(int fd) {
  std::string head;
  char c = 0;
  while (head.find("\r\n\r\n") == std::string::npos && ::recv(fd, &c, 1, 0) == 1) head += c;
  return head;
}

void Send(int fd, const std::string& text) {
  (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}
/// Until the other side is gone.
void WaitForEnd(int fd) {
  char c = 0;
  while (::recv(fd, &c, 1, 0) > 0) {
  }
}
/// Repeats `piece` until the other side is gone.
void SendForEver(int fd, const std::string& piece, int pause_ms) {
  while (::send(fd, piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
    pollfd p{fd, POLLIN, 0};
    char c = 0;
    if (pause_ms > 0 && ::poll(&p, 1, pause_ms) > 0 && ::recv(fd, &c, 1, 0) <= 0) return;
  }
}

struct Outcome {
  bool success = false;
  std::string reason, log, metrics;
  double seconds = 0;
  MetricSet set;
};

Outcome Probe(const std::string& yaml, const std::string& target,
              std::chrono::milliseconds timeout = std::chrono::seconds(60),
              ProbeOptions options = {}) {
  const auto config = ParseConfig("modules:\n  m: {" + yaml + "}\n", "test.yml");
  INFO((config ? std::string() : config.error().message));
  REQUIRE(config.has_value());
  const Module& module = config->modules.at("m");
  Outcome out;
  const std::string name = "m";
  ProbeLog log(log::Level::kError, name, target);
  const auto start = Clock::now();
  ProbeContext context{module, target, start + timeout, options, out.set, log, {}};
  out.success = FindProber(module.prober)(context);
  out.seconds = SecondsBetween(start, Clock::now());
  out.reason = context.reason;
  out.log = log.text();
  out.metrics = out.set.Text();
  return out;
}

const std::string kHttp = "prober: http, http: {preferred_ip_protocol: ip4}";

TEST_CASE("an HTTP answer and its metrics") {
  const TestServer server([](int fd) {
    const std::string head = ReadHead(fd);
    const bool good = head.find("GET /x?a=b HTTP/1.1\r\nHost: 127.0.0.1:") == 0;
    Send(fd, std::string("HTTP/1.1 ") + (good ? "200 OK" : "400 Bad") +
                 "\r\nTransfer-Encoding: chunked\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 "
                 "GMT\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n");
  });
  const auto r = Probe(
      "prober: http, http: {preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: ['^hello "
      "world$']}",
      server.Url("/x?a=b#f"));
  INFO(r.log);
  CHECK(r.success);
  CHECK(r.set.Get("probe_http_status_code") == 200);
  CHECK(r.set.Get("probe_http_content_length") == -1);
  CHECK(r.set.Get("probe_http_uncompressed_body_length") == 11);
  CHECK(r.set.Get("probe_http_last_modified_timestamp_seconds") == 1445412480);
  CHECK(r.set.Get("probe_http_version") == Approx(1.1));
  CHECK_THAT(r.metrics,
             Catch::Matchers::Contains("probe_http_duration_seconds{phase=\"transfer\"}"));
}

TEST_CASE("HTTP targets that misbehave end by the deadline") {
  struct Case {
    const char* name;
    std::function<void(int)> serve;
  };
  const std::vector<Case> cases = {
      {"never answers", [](int fd) { WaitForEnd(fd); }},
      {"head a byte at a time", [](int fd) { SendForEver(fd, "H", 5); }},
      {"stops in the head",
       [](int fd) {
         Send(fd, "HTTP/1.1 200 OK\r\nX: ");
         WaitForEnd(fd);
       }},
      {"body a byte at a time",
       [](int fd) {
         Send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
         SendForEver(fd, "z", 5);
       }},
      {"body without end",
       [](int fd) {
         Send(fd, "HTTP/1.1 200 OK\r\n\r\n");
         SendForEver(fd, std::string(65536, 'z'), 0);
       }},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const TestServer server(c.serve);
    const auto r = Probe(kHttp, server.Url("/"), std::chrono::milliseconds(700));
    CHECK_FALSE(r.success);
    CHECK(r.seconds < 20);
    CHECK_FALSE(r.reason.empty());
  }
}

TEST_CASE("HTTP answers without end in the head are cut") {
  const TestServer server([](int fd) {
    Send(fd, "HTTP/1.1 200 OK\r\n");
    SendForEver(fd, "X-Header: " + std::string(60000, 'h') + "\r\n", 0);
  });
  const auto r = Probe(kHttp, server.Url("/"));
  CHECK_FALSE(r.success);
  CHECK(r.reason == "http");
}

TEST_CASE("redirects: followed up to ten, credentials stay with the first host") {
  std::atomic<int> requests{0};
  const TestServer other([](int fd) {
    const bool leaked = ReadHead(fd).find("Authorization") != std::string::npos;
    Send(fd, leaked ? "HTTP/1.1 500 Leak\r\nContent-Length: 0\r\n\r\n"
                    : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  const TestServer server([&](int fd) {
    ++requests;
    const std::string head = ReadHead(fd);
    const std::string to = head.find("GET /loop") == 0 ? "/loop" : other.Url("/");
    Send(fd, "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n");
  });
  auto r = Probe(kHttp, server.Url("/loop"));
  CHECK_FALSE(r.success);
  CHECK(r.set.Get("probe_http_redirects") == 11);
  CHECK(requests == 11);
  r = Probe(
      "prober: http, http: {preferred_ip_protocol: ip4, basic_auth: {username: u, password: p}}",
      server.Url("/x"));
  INFO(r.log);
  CHECK(r.success);
  CHECK(r.set.Get("probe_http_redirects") == 1);
}

TEST_CASE("reasons of failures") {
  CHECK(Probe(kHttp, "http://nosuch.invalid/").reason == "dns");
  CHECK(Probe("prober: tcp, tcp: {preferred_ip_protocol: ip4}", "127.0.0.1:1").reason == "connect");
  CHECK(Probe("prober: tcp", "no-port").reason == "config");
  ProbeOptions refuse;
  refuse.refuse_internal_targets = true;
  const TestServer server([](int fd) { WaitForEnd(fd); });
  CHECK(Probe(kHttp, server.Url("/"), std::chrono::seconds(60), refuse).reason == "refused_target");
  CHECK(Probe("prober: tcp, tcp: {preferred_ip_protocol: ip4}", server.Address(),
              std::chrono::seconds(60), refuse)
            .reason == "refused_target");
  CHECK(Probe("prober: unix", "/nosuch", std::chrono::seconds(60), refuse).reason ==
        "refused_target");
  const TestServer plain([](int fd) { Send(fd, "220 not TLS at all\r\n"); });
  CHECK(
      Probe("prober: http, http: {preferred_ip_protocol: ip4}", "https://" + plain.Address() + "/")
          .reason == "tls");
}

TEST_CASE("a TCP dialogue with groups and labels") {
  const TestServer server([](int fd) {
    Send(fd, "noise\r\nSSH-2.0-OpenSSH_9.2 Debian\r\n");
    char buffer[100];
    const auto n = ::recv(fd, buffer, sizeof buffer, 0);
    Send(fd, std::string(buffer, n > 0 ? static_cast<std::size_t>(n) : 0));
    WaitForEnd(fd);
  });
  const auto r = Probe(
      "prober: tcp, tcp: {preferred_ip_protocol: ip4, query_response: [{expect: '^SSH-2.0-([^ "
      "_]+)_(\\S+)', "
      "send: 'got ${1}', labels: [{name: version, value: '${2}'}]}, {expect: '^got OpenSSH$'}]}",
      server.Address());
  INFO(r.log);
  CHECK(r.success);
  CHECK_THAT(r.metrics, Catch::Matchers::Contains("probe_expect_info{version=\"9.2\"} 1"));
  const auto silent =
      Probe("prober: tcp, tcp: {preferred_ip_protocol: ip4, query_response: [{expect: never}]}",
            server.Address(), std::chrono::milliseconds(300));
  CHECK_FALSE(silent.success);
  CHECK(silent.reason == "timeout");
}

TEST_CASE("DNS and UDP over a socket that answers or does not") {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0);
  socklen_t size = sizeof a;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size);
  const std::string address = "127.0.0.1:" + std::to_string(ntohs(a.sin_port));
  std::thread server([fd] {
    for (;;) {
      char packet[600];
      sockaddr_in peer{};
      socklen_t length = sizeof peer;
      const auto n = ::recvfrom(fd, packet, 512, 0, reinterpret_cast<sockaddr*>(&peer), &length);
      const std::string_view text(packet, n > 0 ? static_cast<std::size_t>(n) : 0);
      if (n <= 0 || text == "stop") return;
      if (text.find("hang") != std::string_view::npos) continue;
      if (text == "ping") {
        ::sendto(fd, "pong", 4, 0, reinterpret_cast<const sockaddr*>(&peer), length);
        continue;
      }
      packet[2] = static_cast<char>(0x81);
      packet[3] = static_cast<char>(text.find("refused") != std::string_view::npos ? 5 : 0);
      ::sendto(fd, packet, static_cast<std::size_t>(n), 0, reinterpret_cast<const sockaddr*>(&peer),
               length);
    }
  });
  const auto dns = [&](const std::string& more) {
    return Probe("prober: dns, dns: {preferred_ip_protocol: ip4, " + more + "}", address,
                 std::chrono::milliseconds(1500));
  };
  const auto good = dns("query_name: a.test");
  CHECK(good.success);
  CHECK(good.set.Get("probe_dns_query_succeeded") == 1);
  CHECK(dns("query_name: refused.test").reason == "rcode");
  CHECK(dns("query_name: refused.test, valid_rcodes: [REFUSED]").success);
  CHECK(dns("query_name: hang.test").reason == "timeout");
  CHECK(dns("query_name: a.test, validate_answer_rrs: {fail_if_not_matches_regexp: [x]}").reason ==
        "records");
  const auto udp = [&](const std::string& more) {
    return Probe("prober: udp, udp: {preferred_ip_protocol: ip4, " + more + "}", address,
                 std::chrono::milliseconds(1500));
  };
  CHECK(udp("send: ping, expect: '^pong$'").success);
  CHECK(udp("send: ping, expect_bytes: nope").reason == "body");
  CHECK(udp("send: hang, expect: x").reason == "timeout");
  ::sendto(fd, "stop", 4, 0, reinterpret_cast<const sockaddr*>(&a), sizeof a);
  server.join();
  ::close(fd);
}

TEST_CASE("every prober has a name and a section in the configuration") {
  for (const ProberEntry& e : Probers()) {
    INFO(e.name);
    CHECK(FindProber(e.name) == e.probe);
    CHECK_FALSE(e.summary.empty());
  }
  CHECK(FindProber("gopher") == nullptr);
}

}  // namespace
}  // namespace millrace::uptime_probe
