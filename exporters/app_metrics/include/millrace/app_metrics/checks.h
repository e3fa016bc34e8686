#pragma once
// Ready-made health checks. Each lives in an object file of its own, so that a program carries only
// what it names; PostgreSQL, MySQL and HTTP need their own link target as well
// (millrace::app_metrics_postgres, _mysql, _http), so that nobody else links a client library.
//   metrics.add_check(millrace::app_metrics::checks::Redis("redis", "127.0.0.1", 6379));
#include <cstdint>
#include <string>

#include "millrace/app_metrics/health.h"

namespace millrace::app_metrics::checks {

/// Connects and hangs up.
[[nodiscard]] HealthCheck Tcp(std::string name, std::string host, std::uint16_t port);
/// [AUTH], PING over RESP2; "-LOADING" and "-MISCONF" are failures.
[[nodiscard]] HealthCheck Redis(std::string name, std::string host, std::uint16_t port,
                                std::string password = {});
/// At least this part (0..1) of the file system of `path` and of its inodes is free for us.
[[nodiscard]] HealthCheck DiskSpace(std::string name, std::string path, double free_fraction);
/// GET answers with 2xx. Redirects are not followed. Target: millrace::app_metrics_http.
[[nodiscard]] HealthCheck Http(std::string name, std::string url);
/// `SELECT 1` over a connection that is kept; `conninfo` as libpq takes it ("host=... dbname=...").
/// Target: millrace::app_metrics_postgres.
[[nodiscard]] HealthCheck Postgres(std::string name, std::string conninfo);

struct MysqlServer {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3306;
  std::string user{}, password{}, database{};
};
/// Ping over a connection that is kept; MySQL and MariaDB. Target: millrace::app_metrics_mysql.
[[nodiscard]] HealthCheck Mysql(std::string name, MysqlServer server);

}  // namespace millrace::app_metrics::checks
