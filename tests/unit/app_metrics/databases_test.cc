// The checks that need real servers; run by tests/integration/app_metrics/databases.sh.
#include <cstdlib>

#include "millrace/app_metrics/checks.h"
#include "support.h"

using namespace millrace::app_metrics;

namespace {

std::string Env(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

CheckResult RunWithin(const HealthCheck& c, std::chrono::milliseconds limit) {
  return c.run(std::chrono::steady_clock::now() + limit);
}

TEST_CASE("databases", "[.databases]") {
  const auto limit = std::chrono::seconds(20);
#ifdef MILLRACE_TEST_POSTGRES
  const std::string pg = "host=127.0.0.1 user=postgres dbname=postgres port=";
  const HealthCheck good = checks::Postgres("db", pg + Env("PG_PORT"));
  CHECK(RunWithin(good, limit).ok);
  CHECK(RunWithin(good, limit).ok);  // over the kept connection
  CHECK_FALSE(RunWithin(checks::Postgres("db", pg + "1"), limit).ok);
  CHECK_FALSE(RunWithin(checks::Postgres("db", "nonsense"), limit).ok);
  // A server that accepts and says nothing (here: Redis waits for a command) ends at the deadline.
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(
      RunWithin(checks::Postgres("db", pg + Env("MUTE_PORT")), std::chrono::milliseconds(300)).ok);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(15));
#endif
#ifdef MILLRACE_TEST_MYSQL
  checks::MysqlServer s = {.port = static_cast<std::uint16_t>(std::atoi(Env("MYSQL_PORT").c_str())),
                           .user = "root"};
  using checks::Mysql;
  const HealthCheck mysql = Mysql("db", s);
  const CheckResult r = RunWithin(mysql, limit);
  INFO(r.message);
  CHECK(r.ok);
  CHECK(RunWithin(mysql, limit).ok);
  s.port = 1;
  CHECK_FALSE(RunWithin(Mysql("db", s), limit).ok);
#endif
  const auto redis_port = static_cast<std::uint16_t>(std::atoi(Env("REDIS_PORT").c_str()));
  CHECK(RunWithin(checks::Redis("r", "127.0.0.1", redis_port), limit).ok);
  CHECK_FALSE(RunWithin(checks::Redis("r", "127.0.0.1", redis_port, "wrong password"), limit).ok);
}

TEST_CASE("HTTP check") {
  app_metrics_test::TestServer<> t(app_metrics_test::QuietOptions());
  t.Start();
  const std::string url = "http://127.0.0.1:" + std::to_string(t.port);
  CHECK(RunWithin(checks::Http("h", url + "/health"), std::chrono::seconds(30)).ok);
  CHECK(RunWithin(checks::Http("h", url + "/nope"), std::chrono::seconds(30)).message ==
        "status 404");
  CHECK_FALSE(RunWithin(checks::Http("h", "http://127.0.0.1:1/"), std::chrono::seconds(30)).ok);
  CHECK_FALSE(RunWithin(checks::Http("h", "file:///etc/passwd"), std::chrono::seconds(30)).ok);
}

}  // namespace
