// Access lines: what stands in them, and that none is lost or waited for.
#include <atomic>
#include <set>
#include <vector>

#include <fcntl.h>
#include <nlohmann/json.hpp>

#include "exporters/app_metrics/src/log_writer.h"
#include "support.h"

using namespace app_metrics_test;
using millrace::AppMetrics;
using millrace::app_metrics::LogFormat;
using millrace::app_metrics::LogWriter;
using millrace::app_metrics::Options;
using millrace::app_metrics::Request;
using millrace::app_metrics::RequestHead;

namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

Options Logged(const std::string& path, LogFormat format) {
  Options o = QuietOptions();
  o.access_log.enabled = true;
  o.access_log.path = path;
  o.access_log.format = format;
  return o;
}

TEST_CASE("200,000 lines of 8 threads arrive, each once and whole") {
  TempDir dir;
  const std::string path = dir.File("log");
  std::uint64_t written = 0;
  {
    std::string problem;
    LogWriter w(path, 256U << 20, problem);
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&w, t] {
        for (int i = 0; i < 25'000; ++i)
          w.Put("line " + std::to_string(t * 25'000 + i) + std::string(150, '.'));
      });
    for (auto& t : threads) t.join();
    CHECK(w.Flush(std::chrono::seconds(60)));
    written = w.written();
    CHECK(written + w.dropped_queue_full() == 200'000);
#ifndef __SANITIZE_THREAD__  // a writer ten times slower may have to drop
    CHECK(w.dropped_queue_full() == 0);
#endif
  }
  std::set<int> seen;
  for (const std::string& line : Lines(Slurp(path))) {
    REQUIRE(line.size() > 150);
    seen.insert(std::stoi(line.substr(5)));
  }
  CHECK(seen.size() == written);
}

TEST_CASE("a reader that stalls costs lines, not time, and is counted; the end does not hang") {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
  const std::string path = "/proc/self/fd/" + std::to_string(fds[1]);
  constexpr int kLines = 20'000;
  {
    std::string problem;
    LogWriter w(path, 1U << 18, problem);
    REQUIRE(problem.empty());
    for (int i = 0; i < kLines; ++i) w.Put(std::string(200, 'x'));
    CHECK(w.dropped_queue_full() > 0);
    CHECK_FALSE(w.Flush(std::chrono::milliseconds(10)));
  }  // at most 2 s
  ::close(fds[0]);
  ::close(fds[1]);
}

TEST_CASE("a closed pipe is an error, not the end of the process") {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
  std::string problem;
  LogWriter w("/proc/self/fd/" + std::to_string(fds[1]), 1U << 18, problem);
  ::close(fds[0]);
  w.Put("x");
  CHECK(w.Flush(std::chrono::seconds(60)));
  CHECK(w.dropped_write_failed() == 1);
  ::close(fds[1]);
}

TEST_CASE("a writer that went to sleep wakes up; a rotated file is reopened") {
  TempDir dir;
  std::string problem;
  LogWriter w(dir.File("log"), 1U << 20, problem);
  w.Put("one");
  CHECK(w.Flush(std::chrono::seconds(60)));
  std::filesystem::rename(dir.File("log"), dir.File("log.1"));
  CHECK(Eventually([&] {
    w.Put("two");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return Slurp(dir.File("log")).find("two\n") != std::string::npos;
  }));
  CHECK(Slurp(dir.File("log.1")).find("one\n") == 0);
  std::this_thread::sleep_for(
      std::chrono::milliseconds(1300));  // it sleeps after 1 s without lines
  w.Put("three");
  CHECK(Eventually([&] { return Slurp(dir.File("log")).find("three\n") != std::string::npos; }));
}

TEST_CASE("hostile requests give lines that parse, with every byte accounted for") {
  TempDir dir;
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kLogfmt}) {
    const std::string path = dir.File(format == LogFormat::kJson ? "json" : "logfmt");
    const std::string hostile[] = {"/plain",
                                   "/a b\"c\\d\n\x1b[31m\x01?q=\xff\xfe&password=hunter2",
                                   "/" + std::string(100'000, '"'),
                                   "/\xc3\xa4",
                                   "",
                                   std::string("/nul\0x", 6)};
    {
      AppMetrics m(Logged(path, format));
      for (const std::string& target : hostile) {
        Request r(m,
                  {.method = "GET", .target = target, .peer = "1.2.3.4", .request_id = "a\r\nb"});
        r.SetUser("user \"1\"");
        r.SetError(std::string(1000, '\n'));
        r.Finish(200, 1, 2);
      }
      CHECK(m.flush_logs(std::chrono::seconds(60)));
    }
    const auto lines = Lines(Slurp(path));
    REQUIRE(lines.size() == std::size(hostile));
    for (const std::string& line : lines) {
      INFO(line.substr(0, 300));
      CHECK(line.find("hunter2") == std::string::npos);
      CHECK(line.find('\x1b') == std::string::npos);
      CHECK(line.size() < 8192);
      if (format != LogFormat::kJson) continue;
      const auto j = nlohmann::json::parse(line, nullptr, false);
      REQUIRE(j.is_object());
      CHECK(j["status"] == 200);
      CHECK(j["level"] == "error");
      CHECK(j["user_id"] == "user \"1\"");
      CHECK(j["bytes"] == 2);
      CHECK(j["request_id"].get<std::string>().size() == 32);
      CHECK(j["error"].get<std::string>() == std::string(256, '\n'));
    }
    if (format == LogFormat::kJson)
      CHECK(nlohmann::json::parse(lines[5])["path"].get<std::string>() ==
            std::string("/nul\0x", 6));
  }
}

TEST_CASE("levels, slow requests, skipped paths, addresses") {
  TempDir dir;
  Options o = Logged(dir.File("log"), LogFormat::kLogfmt);
  o.access_log.slow = std::chrono::milliseconds(20);
  o.trusted_proxies = {"10.0.0.0/8"};
  {
    AppMetrics m(o);
    const auto one = [&](std::string_view target, int status, bool slow = false) {
      Request r(
          m, {.method = "GET", .target = target, .peer = "10.0.0.1", .forwarded_for = "9.8.7.6"});
      if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(21));
      r.Finish(status, 0, 0);
    };
    one("/ok", 200);
    one("/missing", 404);
    one("/bad", 503);
    one("/slow", 200, true);
    one("/metrics", 200);
    one("/health", 200);
    {
      const Request unfinished(m, {.method = "GET", .target = "/gone"});
    }
    CHECK(m.flush_logs(std::chrono::seconds(60)));
    CHECK(m.page("").body->find("\nhttp_server_aborted_requests_total 1\n") != std::string::npos);
    CHECK(m.page("").body->find("\napp_log_lines_total 5\n") != std::string::npos);
  }
  const auto lines = Lines(Slurp(dir.File("log")));
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].find(" level=info ") != std::string::npos);
  CHECK(lines[0].find(" ip=9.8.7.6 ") != std::string::npos);
  CHECK(lines[0].find(" route=unmatched ") != std::string::npos);
  CHECK(lines[2].find(" level=error ") != std::string::npos);
  CHECK(lines[3].find(" level=warn ") != std::string::npos);
  CHECK(lines[3].ends_with(" slow=true"));
  CHECK(lines[4].find(" status=499 ") != std::string::npos);
}

TEST_CASE("a context travels with the work to another thread") {
  AppMetrics m(QuietOptions());
  Request r(m, {.method = "GET", .target = "/", .request_id = "outer"});
  const millrace::app_metrics::Context copy = r.context();
  std::string seen, after;
  std::thread([&] {
    CHECK(millrace::app_metrics::Context::Current() == nullptr);
    {
      const millrace::app_metrics::ContextScope scope(copy);
      seen = millrace::app_metrics::Context::Current()->request_id();
    }
    CHECK(millrace::app_metrics::Context::Current() == nullptr);
  }).join();
  CHECK(seen == "outer");
  r.Finish(200, 0, 0);
  CHECK(millrace::app_metrics::Context::Current() == nullptr);
}

}  // namespace
