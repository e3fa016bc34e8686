// Error reports against a server of the test, and the parts they are made of.
#include "millrace/app_metrics/sentry.h"

#include <csignal>
#include <mutex>
#include <stdexcept>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/wait.h>

#include "exporters/app_metrics/src/sentry/crash.h"
#include "exporters/app_metrics/src/sentry/dsn.h"
#include "exporters/app_metrics/src/sentry/rate_limit.h"
#include "exporters/app_metrics/src/sentry/spool.h"
#include "support.h"
#include "tests/support/guarded.h"

using namespace app_metrics_test;
using namespace millrace::app_metrics;
using nlohmann::json;
using std::chrono::seconds;

namespace {

/// Takes envelopes as Sentry does; the answers can be scripted.
class FakeSentry {
 public:
  explicit FakeSentry(int on_port = 0) {
    server_.Post("/prefix/api/42/envelope/",
                 [this](const httplib::Request& q, httplib::Response& s) {
                   const std::lock_guard lock(mu_);
                   auth = q.get_header_value("X-Sentry-Auth");
                   encoding = q.get_header_value("Content-Encoding");
                   s.status = status.get();
                   for (const auto& [name, value] : headers.get()) s.set_header(name, value);
                   if (s.status < 300) envelopes_.push_back(q.body);  // cpp-httplib has unpacked it
                   ++calls_;
                   s.set_content("{}", "application/json");
                 });
    port = on_port != 0 && server_.bind_to_port("127.0.0.1", on_port)
               ? on_port
               : server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    REQUIRE(Eventually([&] { return server_.is_running(); }));
  }
  ~FakeSentry() {
    server_.stop();
    thread_.join();
  }
  [[nodiscard]] SentryOptions Options() const { return OptionsFor(port); }
  static SentryOptions OptionsFor(int port) {
    SentryOptions o;
    o.dsn = "http://publickey@127.0.0.1:" + std::to_string(port) + "/prefix/42";
    o.release = "orders@1.4.0";
    o.environment = "staging";
    return o;
  }
  int calls() {
    const std::lock_guard lock(mu_);
    return calls_;
  }
  /// The payloads, checked for the form of an envelope.
  std::vector<json> Events() {
    const std::lock_guard lock(mu_);
    std::vector<json> out;
    for (const std::string& e : envelopes_) {
      const auto first = e.find('\n'), second = e.find('\n', first + 1);
      REQUIRE(second != std::string::npos);
      const json head = json::parse(e.substr(0, first)),
                 item = json::parse(e.substr(first + 1, second - first - 1));
      const std::string payload = e.substr(second + 1, item["length"].get<std::size_t>());
      CHECK(e.size() == second + 1 + payload.size() + 1);
      CHECK(item["type"] == "event");
      json event = json::parse(payload);
      CHECK(head["event_id"] == event["event_id"]);
      CHECK(event["event_id"].get<std::string>().size() == 32);
      out.push_back(std::move(event));
    }
    return out;
  }
  int port = 0;
  millrace::test::Guarded<int> status{200};
  millrace::test::Guarded<std::vector<std::pair<std::string, std::string>>> headers;
  std::string auth, encoding;

 private:
  httplib::Server server_;
  std::thread thread_;
  std::mutex mu_;
  std::vector<std::string> envelopes_;
  int calls_ = 0;
};

[[gnu::noinline]] void ThrowFromHere() { throw std::runtime_error("order 7 has no lines"); }

TEST_CASE("a DSN, and what is none") {
  const auto d = sentry::ParseDsn("https://key:secret@o1.ingest.example:9000/some/path/77?x=1");
  REQUIRE(d);
  CHECK(d->envelope_url == "https://o1.ingest.example:9000/some/path/api/77/envelope/");
  CHECK(d->public_key == "key");
  for (const char* bad : {"", "ftp://k@h/1", "https://h/1", "https://k@h", "https://@h/1",
                          "https://k@/1", "https://k@h /1", "https://k@h/1\r\nX: y"}) {
    INFO(bad);
    const auto r = sentry::ParseDsn(bad);
    REQUIRE_FALSE(r);
    CHECK(r.error().message.find("k@h") == std::string::npos);
  }
  std::string problem;
  SentryOptions o;
  o.dsn = "nonsense";
  CHECK(MakeSentryReporter(o, &problem) == nullptr);
  CHECK(problem.find("DSN") == 0);
}

TEST_CASE("rate limits as Sentry words them") {
  using Clock = std::chrono::steady_clock;
  const auto at = Clock::now();
  const auto until = [&](int status, const char* retry, const char* limits) {
    sentry::RateLimits r;
    r.Update(status, retry, limits, at);
    int n = 0;
    while (n < 100'000 && r.Active(at + seconds(n))) ++n;
    return n;
  };
  CHECK(until(200, "", "") == 0);
  CHECK(until(429, "", "") == 60);
  CHECK(until(429, "17", "") == 17);
  CHECK(until(429, "nonsense", "") == 60);
  CHECK(until(429, "Wed, 21 Oct 2015 07:28:00 GMT", "") == 0);
  CHECK(until(200, "", "5:error:organization") == 5);
  CHECK(until(200, "", "5:transaction:organization, 2:default;error:project:quota") == 2);
  CHECK(until(200, "", "9::organization") == 9);
  CHECK(until(429, "100", "7:transaction") == 0);
  CHECK(until(429, "", "99999999:error") == 86'400);
  CHECK(until(429, "", ":::,,") == 60);
}

TEST_CASE("the spool is bounded, oldest go first") {
  TempDir dir;
  auto spool = sentry::Spool::Open(dir.File("spool"), 100, 3);
  REQUIRE(spool);
  for (int i = 0; i < 4; ++i) REQUIRE(spool->Add("id", "envelope " + std::to_string(i)));
  CHECK(spool->Count() == 3);
  CHECK(spool->Oldest()->envelope == "envelope 1");
  CHECK(spool->Add("id", std::string(90, 'x')).value() >= 2);
  CHECK_FALSE(spool->Add("id", std::string(101, 'x')));
  spool->Remove(*spool->Oldest());
  CHECK_FALSE(sentry::Spool::Open("/proc/nope", 1, 1));
}

TEST_CASE("an exception in a handler arrives with stack, request, breadcrumbs, user, tags") {
  FakeSentry fake;
  TestServer<> t(QuietOptions(), {.user_id = {}});
  SentryOptions o = fake.Options();
  o.tags["region"] = "eu";
  t.metrics.set_error_reporter(MakeSentryReporter(o));
  t.server.Get(R"(/orders/(\d+))", [&](const httplib::Request&, httplib::Response&) {
    t.metrics.breadcrumb("db", "select order");
    Request::Current()->SetUser("1001");
    ThrowFromHere();
  });
  t.Start();
  CHECK(t.Get("/orders/7?token=hunter2", "X-Request-ID: abc\r\n").find("500") == 9);
  REQUIRE(t.metrics.error_reporter()->Flush(seconds(60)));
  const auto events = fake.Events();
  REQUIRE(events.size() == 1);
  const json& e = events[0];
  INFO(e.dump(1));
  CHECK(fake.auth.find("sentry_version=7") != std::string::npos);
  CHECK(fake.auth.find("sentry_key=publickey") != std::string::npos);
  CHECK(e["exception"]["values"][0]["type"] == "std::runtime_error");
  CHECK(e["exception"]["values"][0]["value"] == "order 7 has no lines");
  CHECK(e["release"] == "orders@1.4.0");
  CHECK(e["environment"] == "staging");
  CHECK(e["transaction"] == "GET /orders/{1}");
  CHECK(e["request"]["url"] == "/orders/7?token=***");
  CHECK(e["user"]["id"] == "1001");
  CHECK_FALSE(e["user"].contains("ip_address"));
  CHECK(e["tags"]["request_id"] == "abc");
  CHECK(e["tags"]["region"] == "eu");
  CHECK(e["breadcrumbs"]["values"][0]["message"] == "select order");
  CHECK(e["contexts"]["trace"]["trace_id"].get<std::string>().size() == 32);
  const json& frames = e["exception"]["values"][0]["stacktrace"]["frames"];
  REQUIRE(frames.size() > 3);
  CHECK(frames.back()["instruction_addr"].get<std::string>().starts_with("0x"));
  CHECK(e["debug_meta"]["images"][0]["type"] == "elf");
#if defined(MILLRACE_TEST_HAS_SYMBOLS)
  CHECK(frames.back()["function"].get<std::string>().find("ThrowFromHere") != std::string::npos);
  CHECK(frames.back()["filename"] == "sentry_test.cc");
  CHECK(frames.back()["in_app"] == true);
  CHECK(frames.back()["lineno"].get<int>() > 0);
#endif
}

TEST_CASE("messages, slow requests, compression, sampling") {
  for (const auto c : {EnvelopeCompression::kNone, EnvelopeCompression::kGzip}) {
    FakeSentry fake;
    SentryOptions o = fake.Options();
    o.compression = c;
    Options app = QuietOptions();
    app.access_log.slow = std::chrono::milliseconds(1);
    millrace::AppMetrics m(app);
    m.set_error_reporter(MakeSentryReporter(o));
    m.report_message("warning", "disk \"almost\" full\n");
    m.report_message("made-up", "x");
    {
      Request r(m, {.method = "GET", .target = "/slow"});
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      r.Finish(200, 0, 0);
    }
    REQUIRE(m.error_reporter()->Flush(seconds(60)));
    const auto events = fake.Events();
    REQUIRE(events.size() == 3);
    CHECK(events[0]["level"] == "warning");
    CHECK(events[0]["message"]["formatted"] == "disk \"almost\" full\n");
    CHECK(events[1]["level"] == "error");
    CHECK(events[2]["message"]["formatted"] == "Slow request: GET unmatched");
    CHECK(fake.encoding == (c == EnvelopeCompression::kGzip ? "gzip" : ""));
    CHECK(m.page("").body->find("\napp_error_reports_sent_total 3\n") != std::string::npos);
  }
  FakeSentry fake;
  SentryOptions o = fake.Options();
  o.sample_rate = 0;
  const auto reporter = MakeSentryReporter(o);
  for (int i = 0; i < 10; ++i) reporter->Message("error", "x", nullptr);
  CHECK(reporter->Flush(seconds(60)));
  CHECK(reporter->Counts().dropped_sampled == 10);
  CHECK(fake.calls() == 0);
}

TEST_CASE("429 is obeyed, other refusals are not repeated; all are counted") {
  FakeSentry fake;
  fake.status = 429;
  fake.headers = std::vector<std::pair<std::string, std::string>>{{"Retry-After", "3600"}};
  {
    const auto reporter = MakeSentryReporter(fake.Options());
    reporter->Message("error", "1", nullptr);
    CHECK(reporter->Flush(seconds(60)));
    for (int i = 0; i < 5; ++i) reporter->Message("error", "2", nullptr);
    CHECK(reporter->Flush(seconds(60)));
    CHECK(fake.calls() == 1);
    CHECK(reporter->Counts().dropped_rate_limited == 6);
  }
  fake.status = 500;
  fake.headers = std::vector<std::pair<std::string, std::string>>{};
  const auto reporter = MakeSentryReporter(fake.Options());
  reporter->Message("error", "1", nullptr);
  CHECK(reporter->Flush(seconds(60)));
  CHECK(reporter->Counts().dropped_rejected == 1);
  CHECK(fake.calls() == 2);
}

int FreePort() {
  const FakeSentry once;
  return once.port;
}

TEST_CASE("a server that is away: no call waits, the queue is bounded, the end has a deadline") {
  SentryOptions o = FakeSentry::OptionsFor(FreePort());
  o.queue = 10;
  o.shutdown_limit = std::chrono::milliseconds(100);
  const auto start = std::chrono::steady_clock::now();
  {
    const auto reporter = MakeSentryReporter(o);
    for (int i = 0; i < 1000; ++i) reporter->Message("error", "x", nullptr);
    CHECK_FALSE(reporter->Flush(std::chrono::milliseconds(50)));
    CHECK(reporter->Counts().dropped_queue_full >= 900);
  }
  CHECK(std::chrono::steady_clock::now() - start < seconds(60));
}

TEST_CASE("a server that answers nothing slows nobody") {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(fd, 5) == 0);
  socklen_t size = sizeof at;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  {
    SentryOptions o = FakeSentry::OptionsFor(ntohs(at.sin_port));
    o.shutdown_limit = std::chrono::milliseconds(200);
    o.timeout = seconds(3600);
    const auto reporter = MakeSentryReporter(o);
    for (int i = 0; i < 100; ++i) reporter->Message("error", "x", nullptr);
    CHECK_FALSE(reporter->Flush(std::chrono::milliseconds(50)));
  }  // would take an hour without the deadline
  ::close(fd);
}

TEST_CASE("reports wait on disk and go when the server is back, also after a restart") {
  TempDir dir;
  const int port = FreePort();
  SentryOptions o = FakeSentry::OptionsFor(port);
  o.spool_dir = dir.File("spool");
  {
    const auto reporter = MakeSentryReporter(o);
    for (int i = 0; i < 5; ++i) reporter->Message("error", "offline " + std::to_string(i), nullptr);
    CHECK(Eventually([&] { return reporter->Counts().spooled == 5; }));
  }
  FakeSentry fake(port);
  if (fake.port != port) return;  // somebody else took it meanwhile
  const auto reporter = MakeSentryReporter(o);
  reporter->Message("error", "online", nullptr);
  CHECK(Eventually([&] { return fake.Events().size() == 6; }));
  CHECK(Eventually([&] { return reporter->Counts().spooled == 0; }));
}

TEST_CASE("crash files of strangers and of no crash") {
  CHECK_FALSE(sentry::ParseCrash(""));
  CHECK_FALSE(sentry::ParseCrash("nonsense"));
  CHECK_FALSE(sentry::ParseCrash("millrace-crash 1\nimage - /bin/x\n"));
  const auto e = sentry::ParseCrash(
      "millrace-crash 1\nimage abc /bin/x\nsignal b\ntime 100\nrequest_id r1\nframe 5010\nframe "
      "zz\nmaps\n"
      "5000-6000 r-xp 00000000 00:00 1 /bin/x\ngarbage\n");
  REQUIRE(e);
  CHECK(e->exception_type == "SIGSEGV");
  CHECK(e->request_id == "r1");
  REQUIRE(e->frames.size() == 2);
  CHECK(e->frames[0].module == "/bin/x");
}

#ifndef __SANITIZE_THREAD__  // which allows no threads in a forked process
template <class F>
int RunChild(F&& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::close(STDERR_FILENO);  // what the runtime says about the crash
    for (const int signal : {SIGSEGV, SIGABRT}) std::signal(signal, SIG_DFL);  // Catch2's
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

TEST_CASE("a process that SIGSEGV killed is reported by its successor") {
  TempDir dir;
  FakeSentry fake;
  SentryOptions o = fake.Options();
  o.spool_dir = dir.File("spool");
  o.handle_crashes = true;
  const int status = RunChild([&] {
    const auto reporter = MakeSentryReporter(o);
    millrace::AppMetrics m(QuietOptions());
    const Request r(m, {.method = "GET", .target = "/", .request_id = "last-words"});
    std::raise(SIGSEGV);
  });
  CHECK(WIFSIGNALED(status));
  CHECK(fake.calls() == 0);
  const auto reporter = MakeSentryReporter(o);
  REQUIRE(reporter->Flush(seconds(60)));
  const auto events = fake.Events();
  REQUIRE(events.size() == 1);
  INFO(events[0].dump(1));
  CHECK(events[0]["level"] == "fatal");
  CHECK(events[0]["exception"]["values"][0]["type"] == "SIGSEGV");
  CHECK(events[0]["tags"]["request_id"] == "last-words");
  CHECK(events[0]["exception"]["values"][0]["stacktrace"]["frames"].size() > 3);
}

TEST_CASE("std::terminate is reported before the process ends, once") {
  TempDir dir;
  FakeSentry fake;
  SentryOptions o = fake.Options();
  o.spool_dir = dir.File("spool");
  o.handle_crashes = true;
  o.shutdown_limit = seconds(30);
  const int status = RunChild([&] {
    const auto reporter = MakeSentryReporter(o);
    std::thread([] { throw std::logic_error("nobody catches this"); }).join();
  });
  CHECK(WIFSIGNALED(status));
  o.handle_crashes = false;
  CHECK(MakeSentryReporter(o)->Flush(seconds(60)));
  const auto events = fake.Events();
  REQUIRE(events.size() == 1);
  CHECK(events[0]["exception"]["values"][0]["type"] == "std::logic_error");
  CHECK(events[0]["exception"]["values"][0]["mechanism"]["type"] == "terminate");
}

TEST_CASE("a process that ends well leaves nothing behind") {
  TempDir dir;
  SentryOptions o = FakeSentry::OptionsFor(1);
  o.spool_dir = dir.File("spool");
  o.handle_crashes = true;
  {
    const auto reporter = MakeSentryReporter(o);
  }
  CHECK(std::filesystem::is_empty(o.spool_dir));
}
#endif

// Run by tests/integration/app_metrics/bugsink.sh, with SENTRY_DSN of a real server.
TEST_CASE("bugsink", "[.bugsink]") {
  millrace::AppMetrics m(QuietOptions());
  m.set_error_reporter(MakeSentryReporter({}));
  REQUIRE(m.error_reporter() != nullptr);
  Request r(m, {.method = "GET", .target = "/orders/7?token=hunter2", .request_id = "bugsink-1"});
  r.SetRoute("/orders/:id");
  m.breadcrumb("db", "select order");
  try {
    ThrowFromHere();
  } catch (...) {
    m.report_exception(std::current_exception(), &r);
  }
  m.report_message("warning", "a message");
  CHECK(m.error_reporter()->Flush(seconds(60)));
  CHECK(m.error_reporter()->Counts().sent == 2);
  r.Finish(500, 0, 0);
}

}  // namespace
