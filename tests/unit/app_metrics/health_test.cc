// Health checks: states, time limits, and the ready-made ones against sockets of the test.
#include <atomic>
#include <future>
#include <stdexcept>

#include "exporters/app_metrics/src/health_registry.h"
#include "millrace/app_metrics/checks.h"
#include "support.h"

using namespace app_metrics_test;
using namespace millrace::app_metrics;
using std::chrono::milliseconds;

namespace {

HealthCheck Check(std::string name, std::function<CheckResult()> run, bool required = true) {
  HealthCheck c;
  c.name = std::move(name);
  c.run = [run = std::move(run)](auto) { return run(); };
  c.required = required;
  c.interval = milliseconds(10);
  c.timeout = milliseconds(60'000);
  return c;
}

bool Becomes(const HealthRegistry& r, int status, const std::string& body) {
  return Eventually([&] {
    const HealthReport report = r.Report();
    return report.http_status == status && report.body == body + "\n";
  });
}

TEST_CASE("the JSON of the issue, and what fails in it") {
  std::atomic<bool> database{true}, redis{true};
  HealthRegistry r({}, "1.0.0");
  CHECK(r.Add(Check("database", [&] {
    return database ? CheckResult::Ok() : CheckResult::Failed("secret host refused");
  })) == "");
  CHECK(r.Add(Check("redis", [&]() -> CheckResult {
    if (!redis) throw std::runtime_error("gone");
    return CheckResult::Ok();
  })) == "");
  CHECK(Becomes(r, 200, R"({"status":"ok","version":"1.0.0","database":"ok","redis":"ok"})"));
  database = false;
  CHECK(
      Becomes(r, 500, R"({"status":"error","version":"1.0.0","database":"failed","redis":"ok"})"));
  redis = false;
  CHECK(Becomes(r, 500,
                R"({"status":"error","version":"1.0.0","database":"failed","redis":"failed"})"));
  CHECK(r.Live().http_status == 200);
  CHECK(r.Ready(false).http_status == 500);
  database = redis = true;
  CHECK(Becomes(r, 200, R"({"status":"ok","version":"1.0.0","database":"ok","redis":"ok"})"));
  CHECK(r.Add(Check("redis", [] { return CheckResult::Ok(); })) != "");
  CHECK(r.Add(Check("version", [] { return CheckResult::Ok(); })) != "");
}

TEST_CASE("optional checks degrade and do not fail; details only when allowed") {
  HealthOptions o;
  o.show_details = true;
  o.failure_status = 503;
  HealthRegistry r(o, "1");
  CHECK(r.Add(Check("mail", [] { return CheckResult::Failed("smtp \"down\""); }, false)) == "");
  CHECK(Eventually([&] {
    const auto report = r.Report();
    return report.http_status == 200 && report.body.find("\"status\":\"degraded\"") == 1 &&
           report.body.find(R"("message":"smtp \"down\"")") != std::string::npos;
  }));
}

TEST_CASE("a check that hangs fails, and hangs nobody") {
  auto release = std::make_shared<std::promise<void>>();
  auto gate = std::make_shared<std::shared_future<void>>(release->get_future().share());
  {
    HealthRegistry r({}, "1");
    HealthCheck c;
    c.name = "database";
    c.timeout = milliseconds(20);
    c.run = [gate](auto) {
      gate->wait();
      return CheckResult::Ok();
    };
    CHECK(r.Add(c) == "");
    CHECK(Becomes(r, 500, R"({"status":"error","version":"1","database":"failed"})"));
    // The destructor leaves the thread behind after its deadline instead of waiting for ever.
  }
  release->set_value();
}

TEST_CASE("one failure can be forgiven") {
  std::atomic<int> runs{0};
  HealthRegistry r({}, "1");
  HealthCheck c = Check(
      "flaky", [&] { return ++runs % 2 == 0 ? CheckResult::Failed("x") : CheckResult::Ok(); });
  c.failures = 2;
  CHECK(r.Add(c) == "");
  REQUIRE(Eventually([&] { return runs > 1; }));
  bool ever_failed = false;
  REQUIRE(Eventually([&] {
    ever_failed |= r.Report().http_status != 200;
    return runs > 20;
  }));
  CHECK_FALSE(ever_failed);
}

/// Accepts one connection after the other and answers each with `reply`.
class Listener {
 public:
  explicit Listener(std::string reply) : reply_(std::move(reply)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(fd_, 16) == 0);
    socklen_t size = sizeof at;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        const int c = ::accept(fd_, nullptr, nullptr);
        if (c < 0) return;
        char buffer[512];
        if (!reply_.empty() && ::recv(c, buffer, sizeof buffer, 0) > 0)
          (void)!::send(c, reply_.data(), reply_.size(), MSG_NOSIGNAL);
        ::close(c);
      }
    });
  }
  ~Listener() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::uint16_t port = 0;

 private:
  std::string reply_;
  int fd_;
  std::thread thread_;
};

CheckResult RunNow(const HealthCheck& c) {
  return c.run(std::chrono::steady_clock::now() + std::chrono::seconds(30));
}

TEST_CASE("ready-made checks: TCP, Redis, disk") {
  std::uint16_t port = 0;
  {
    const Listener pong("+PONG\r\n");
    port = pong.port;
    CHECK(RunNow(checks::Tcp("t", "127.0.0.1", port)).ok);
    CHECK(RunNow(checks::Redis("r", "127.0.0.1", port)).ok);
  }
  CHECK_FALSE(RunNow(checks::Tcp("t", "127.0.0.1", port)).ok);
  {
    const Listener loading("-LOADING Redis is loading\r\n");
    const CheckResult r = RunNow(checks::Redis("r", "127.0.0.1", loading.port));
    CHECK_FALSE(r.ok);
    CHECK(r.message == "-LOADING Redis is loading");
    const Listener mute("");
    CHECK_FALSE(RunNow(checks::Redis("r", "127.0.0.1", mute.port)).ok);
    const Listener endless(std::string(100'000, 'x'));
    CHECK_FALSE(RunNow(checks::Redis("r", "127.0.0.1", endless.port)).ok);
  }
  CHECK_FALSE(RunNow(checks::Redis("r", "host.invalid", 1)).ok);
  CHECK(RunNow(checks::DiskSpace("d", "/", 0)).ok);
  CHECK_FALSE(RunNow(checks::DiskSpace("d", "/", 1.1)).ok);
  CHECK_FALSE(RunNow(checks::DiskSpace("d", "/nonexistent", 0)).ok);
}

}  // namespace
