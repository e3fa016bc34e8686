// The whole middleware in a cpp-httplib server.
#include <atomic>
#include <stdexcept>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include "support.h"

using namespace app_metrics_test;
using millrace::app_metrics::HttplibHooks;
using millrace::app_metrics::Options;
using millrace::app_metrics::Request;

namespace {

std::size_t CountOf(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

const std::string kGetUsers = R"({method="GET",route="/users/{1}",status="200"})";

TEST_CASE("three lines give RED metrics per route, health and ids") {
  TestServer<> t(QuietOptions());
  t.server.Get(R"(/users/(\d+))", [](const httplib::Request&, httplib::Response& res) {
    res.set_content("hello", "text/plain");
  });
  t.server.Post("/echo", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content(req.body, "text/plain");
  });
  t.Start();
  for (int i = 0; i < 5; ++i) CHECK(t.Get("/users/" + std::to_string(i)).find("200") == 9);
  Raw(t.port, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 300\r\n\r\n" +
                  std::string(300, 'x'));
  CHECK(t.Get("/nobody/knows/this").find("404") == 9);
  CHECK(t.Reaches("http_server_requests_total" + kGetUsers, 5));
  CHECK(t.Reaches(R"(http_server_requests_total{method="GET",route="unmatched",status="404"})", 1));
  CHECK(t.Reaches(R"(http_server_request_size_bytes_sum{method="POST",route="/echo"})", 300));
  CHECK(
      t.Value(R"(http_server_response_size_bytes_bucket{method="POST",route="/echo",le="256"})") ==
      0);
  CHECK(t.Value("http_server_request_duration_seconds_count" + kGetUsers) == 5);
  CHECK(t.Value(R"(http_server_requests_in_flight{method="GET"})") == 0);
  CHECK(t.Value(R"(app_build_info{service="test",version="1.2.3",environment="production"})") == 1);
  CHECK(t.Value("process_threads") > 1);

  const std::string page = t.Get("/metrics");
  CHECK(page.find("text/plain; version=0.0.4") != std::string::npos);
  CHECK(page.find("http_server_requests_total" + kGetUsers + " 5\n") != std::string::npos);
  CHECK(t.Get("/health").find("{\"status\":\"ok\",\"version\":\"1.2.3\"}") != std::string::npos);
  CHECK(t.Get("/health/live").find("200") == 9);
  CHECK(t.Get("/health/ready").find("200") == 9);
  t.metrics.set_draining(true);
  CHECK(t.Get("/health/ready").find("500") == 9);
  CHECK(t.Get("/health").find("200") == 9);
}

TEST_CASE("a back-end's own prometheus-cpp metrics are on the same page, and ours on its own") {
  TestServer<> t(QuietOptions());
  prometheus::BuildCounter()
      .Name("orders_total")
      .Help("Orders.")
      .Register(t.metrics.registry())
      .Add({{"kind", "a\"b"}})
      .Increment(7);
  CHECK(t.Value(R"(orders_total{kind="a\"b"})") == 7);
  t.metrics.login(true);
  t.metrics.login(false);
  t.metrics.message_sent(true);
  CHECK(t.Value(R"(app_events_total{event="login",result="failure"})") == 1);
  bool found = false;
  for (const auto& family : t.metrics.collectable()->Collect())
    if (family.name == "app_events_total") found = family.metric.size() == 4;
  CHECK(found);
}

TEST_CASE("dependencies: time, errors by kind, exceptions, pools, limits") {
  TestServer<> t(QuietOptions());
  {
    auto ok = t.metrics.db("select_user");
  }
  {
    auto failed = t.metrics.db("select_user");
    failed.fail("timeout");
    failed.fail("ignored");
  }
  try {
    const auto thrown = t.metrics.redis("get");
    throw std::runtime_error("x");
  } catch (const std::runtime_error&) {
  }
  CHECK(
      t.Value(
          R"(app_dependency_duration_seconds_count{dependency="database",operation="select_user"})") ==
      2);
  CHECK(
      t.Value(
          R"(app_dependency_errors_total{dependency="database",operation="select_user",kind="timeout"})") ==
      1);
  CHECK(
      t.Value(
          R"(app_dependency_errors_total{dependency="redis",operation="get",kind="exception"})") ==
      1);
  t.metrics.set_up("redis", true);
  t.metrics.set_pool("pg", 3, 2, 10);
  CHECK(t.Value(R"(app_dependency_up{dependency="redis"})") == 1);
  CHECK(t.Value(R"(app_pool_connections{pool="pg",state="used"})") == 3);
  for (int i = 0; i < 1000; ++i) {
    t.metrics.db("op" + std::to_string(i)).fail("kind" + std::to_string(i));
    t.metrics.event("event" + std::to_string(i), true);
    auto one = t.metrics.db("select_user");
    one.fail("kind" + std::to_string(i));
  }
  const std::string page = t.Page();
  CHECK(CountOf(page, "\napp_dependency_duration_seconds_count") == 201);
  CHECK(CountOf(page, "\napp_events_total") <= 202);
  CHECK(
      page.find(
          R"(app_dependency_duration_seconds_count{dependency="overflow",operation="overflow"})") !=
      std::string::npos);
  CHECK(page.find(R"(operation="select_user",kind="other"})") != std::string::npos);
}

TEST_CASE("an exception in a handler is a bare 500, counted and logged") {
  TempDir dir;
  Options o = QuietOptions();
  o.access_log.enabled = true;
  o.access_log.path = dir.File("access.log");
  TestServer<> t(o, {.user_id = [](const auto&, const auto&) { return std::string("1001"); }});
  t.server.Get("/boom", [](const httplib::Request&, httplib::Response&) {
    throw std::runtime_error("database connection failed");
  });
  t.server.Get("/odd", [](const httplib::Request&, httplib::Response&) { throw 42; });
  t.Start();
  const std::string reply = t.Get("/boom", "X-Request-ID: abc123\r\n");
  CHECK(reply.find("500") == 9);
  CHECK(reply.find("database connection failed") == std::string::npos);
  CHECK(reply.find("X-Request-ID: abc123\r\n") != std::string::npos);
  CHECK(t.Get("/odd").find("500") == 9);
  CHECK(t.Reaches("http_server_exceptions_total", 2));
  CHECK(t.Reaches(R"(http_server_requests_total{method="GET",route="/boom",status="500"})", 1));
  REQUIRE(t.metrics.flush_logs(std::chrono::seconds(30)));
  const std::string log = Slurp(dir.File("access.log"));
  CHECK(log.find(" level=error request_id=abc123 method=GET path=/boom route=/boom status=500 "
                 "latency=") != std::string::npos);
  CHECK(log.find("ms user_id=1001 ip=127.0.0.1 bytes=0") != std::string::npos);
  CHECK(log.find(" error=\"database connection failed\"\n") != std::string::npos);
}

TEST_CASE("ids: taken over, made, or refused and counted") {
  TestServer<> t(QuietOptions());
  std::string seen;
  t.server.Get("/", [&](const httplib::Request&, httplib::Response& res) {
    seen = millrace::app_metrics::Context::Current()->request_id();
    res.set_content(std::string(millrace::app_metrics::Context::Current()->traceparent()),
                    "text/plain");
  });
  t.Start();
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  std::string reply =
      t.Get("/", "X-Request-ID: a-b\r\ntraceparent: 00-" + trace + "-00f067aa0ba902b7-01\r\n");
  CHECK(seen == "a-b");
  CHECK(reply.find("X-Request-ID: a-b\r\n") != std::string::npos);
  CHECK(reply.find("traceparent: 00-" + trace + "-") != std::string::npos);
  CHECK(reply.find("00f067aa0ba902b7") == std::string::npos);  // our own span
  t.Get("/", "traceparent: 00-" + trace + "-00f067aa0ba902b7-01\r\n");
  CHECK(seen == trace);
  t.Get("/");
  CHECK(seen.size() == 32);
  t.Get("/", "X-Request-ID: \x1b[2Jx\r\n");
  CHECK(seen.size() == 32);
  t.Get("/", "X-Request-ID: " + std::string(4000, 'a') + "\r\n");
  CHECK(seen.size() == 32);
  // 1 MB: the server refuses the header line; nothing of it is kept.
  t.Get("/", "X-Request-ID: " + std::string(1 << 20, 'a') + "\r\n");
  t.Get("/", "traceparent: nonsense\r\n");
  CHECK(t.Reaches(R"(http_server_bad_headers_total{header="x-request-id"})", 2));
  CHECK(t.Reaches(R"(http_server_bad_headers_total{header="traceparent"})", 1));
}

TEST_CASE("OpenMetrics has exemplars with the trace id, protobuf has native histograms") {
  TestServer<> t(QuietOptions());
  t.server.Get("/", [](const httplib::Request&, httplib::Response& res) {
    res.set_content("x", "text/plain");
  });
  t.Start();
  t.Get("/", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n");
  REQUIRE(t.Reaches(R"(http_server_requests_total{method="GET",route="/",status="200"})", 1));
  const std::string om =
      t.Get("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
  CHECK(om.find("application/openmetrics-text; version=1.0.0") != std::string::npos);
  CHECK(om.find(R"( # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} )") != std::string::npos);
  CHECK(om.ends_with("# EOF\n"));
  const std::string plain = t.Get("/metrics");
  CHECK(plain.find(" # {") == std::string::npos);
  const std::string proto = t.Page(
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited");
  CHECK(proto.find("4bf92f3577b34da6a3ce929d0e0e4736") != std::string::npos);
  // schema = 3 (zigzag 6), zero_threshold = 2^-14: fields 5 and 6 of Histogram.
  CHECK(proto.find(std::string("\x28\x06\x31\x00\x00\x00\x00\x00\x00\x10\x3f", 11)) !=
        std::string::npos);
}

TEST_CASE("names of the OpenTelemetry conventions") {
  Options o = QuietOptions();
  o.names = millrace::app_metrics::Names::kOpenTelemetry;
  TestServer<> t(o, {.https = true});
  t.server.Get("/", [](const httplib::Request&, httplib::Response& res) {
    res.set_content("x", "text/plain");
  });
  t.Start();
  t.Get("/");
  CHECK(t.Reaches(
      R"(http_server_request_duration_seconds_count{http_request_method="GET",http_route="/",http_response_status_code="200",url_scheme="https"})",
      1));
  CHECK(t.Value(R"(http_server_active_requests{http_request_method="GET"})") == 0);
}

TEST_CASE("a million paths make no million series") {
  Options o = QuietOptions();
  o.max_routes = 50;
  millrace::AppMetrics metrics(o);
  const auto one = [&](std::string_view method, const std::string& route, int status) {
    Request r(metrics, {.method = method, .target = route, .peer = "1.2.3.4"});
    r.SetRoute(route);
    r.Finish(status, 0, 0);
  };
  for (int i = 0; i < 1'000'000; ++i) one("GET", "/p/" + std::to_string(i), 200);
  one("MAKE-COFFEE\r\n", "/x", 200);
  for (int status = -5; status < 2000; ++status) one("GET", "/p/1", status);
  for (int i = 0; i < 1000; ++i) {  // by path alone, as a scanner does it
    Request r(metrics, {.method = "GET", .target = "/scan/" + std::to_string(i)});
    r.Finish(404, 0, 0);
  }
  const std::string page = *metrics.page("").body;
  CHECK(CountOf(page, "\nhttp_server_response_size_bytes_count") == 52);
  CHECK(page.find(
            R"(http_server_requests_total{method="GET",route="overflow",status="200"} 999950)") !=
        std::string::npos);
  CHECK(page.find(R"({method="_OTHER",route="overflow",status="200"} 1)") != std::string::npos);
  CHECK(page.find(R"({method="GET",route="/p/1",status="other"})") != std::string::npos);
  CHECK(CountOf(page, R"(http_server_requests_total{method="GET",route="/p/1",)") == 16);
  CHECK(page.size() < 400'000);
}

TEST_CASE("unmatched paths of a scanner share one route") {
  TestServer<> t(QuietOptions());
  t.server.Get(R"(/hello/.*)", [](const httplib::Request&, httplib::Response& res) {
    Request::Current()->SetRoute("/hello/*");
    res.set_content("x", "text/plain");
  });
  t.Start();
  for (int i = 0; i < 30; ++i) {
    t.Get("/wp-admin-" + std::to_string(i));
    t.Get("/hello/" + std::to_string(i));
  }
  t.Get("/x", "", "BREW");
  CHECK(
      t.Reaches(R"(http_server_requests_total{method="GET",route="unmatched",status="404"})", 30));
  CHECK(t.Reaches(R"(http_server_requests_total{method="GET",route="/hello/*",status="200"})", 30));
  CHECK(Eventually(
      [&] { return t.Page().find("method=\"_OTHER\",route=\"unmatched\"") != std::string::npos; }));
}

TEST_CASE("RoutedServer knows the pattern itself") {
  TestServer<millrace::app_metrics::RoutedServer> t(QuietOptions());
  t.server.Get(R"(/any/.*)", [](const httplib::Request&, httplib::Response& res) {
    res.set_content("x", "text/plain");
  });
  t.Start();
  t.Get("/any/alice");
  t.Get("/any/bob");
  CHECK(t.Reaches(R"(http_server_requests_total{method="GET",route="/any/.*",status="200"})", 2));
}

TEST_CASE("clients that vanish, and what is not HTTP") {
  TestServer<> t(QuietOptions());
  t.server.Get("/big", [](const httplib::Request&, httplib::Response& res) {
    res.set_content(std::string(1 << 20, 'x'), "text/plain");
  });
  t.Start();
  Raw(t.port, "nonsense\r\n\r\n");
  Raw(t.port, "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\nConnection: close\r\n\r\n");
  for (int i = 0; i < 20; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(t.port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    const std::string text = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
    CHECK(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(fd);
  }
  CHECK(
      Eventually([&] { return t.Value(R"(http_server_requests_in_flight{method="GET"})") == 0; }));
  CHECK(t.Get("/health").find("200") == 9);
}

TEST_CASE("/metrics scraped by 100 clients at once") {
  TestServer<> t(QuietOptions());
  t.Start();
  std::atomic<int> good{0};
  std::vector<std::thread> clients;
  // Most ask for the page itself: cpp-httplib's listen queue of 5 would make 100 connections a test
  // of the kernel's SYN retries.
  for (int i = 0; i < 100; ++i)
    clients.emplace_back([&, i] {
      const std::string page = i < 8 ? t.Get("/metrics") : t.Page(i % 2 == 0 ? "" : "text/plain");
      if (page.find("app_build_info") != std::string::npos && page.ends_with("\n")) ++good;
    });
  for (auto& c : clients) c.join();
  CHECK(good == 100);
}

TEST_CASE("what is wrong with the options is listed, and the rest works") {
  Options o = QuietOptions();
  o.trusted_proxies = {"10.0.0.0/8", "nonsense"};
  o.routes = {"no-slash"};
  o.access_log.enabled = true;
  o.access_log.path = "/nonexistent/dir/access.log";
  millrace::AppMetrics m(o);
  CHECK(m.problems().size() == 3);
  m.add_check(
      {.name = "status", .run = [](auto) { return millrace::app_metrics::CheckResult::Ok(); }});
  CHECK(m.problems().size() == 4);
}

}  // namespace
