#pragma once
// Everything that can be set. Every member has a working default.
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace millrace::app_metrics {

/// How the HTTP metrics and their labels are called; docs/app-metrics.md has both tables.
enum class Names : unsigned char {
  kPlain,          ///< method, route, status
  kOpenTelemetry,  ///< http_request_method, http_route, http_response_status_code, url_scheme
};

enum class LogFormat : unsigned char { kLogfmt, kJson };

struct AccessLogOptions {
  bool enabled = true;
  LogFormat format = LogFormat::kLogfmt;
  /// File that lines are appended to; "" is standard output.
  std::string path{};
  /// Memory for lines that are not written yet. A line that finds no room is dropped and counted,
  /// never waited for.
  std::size_t queue_bytes = std::size_t{8} << 20;
  /// Paths that are measured but not logged, compared as a whole.
  std::vector<std::string> skip_paths = {"/metrics", "/health", "/health/live", "/health/ready"};
  /// Values of these query parameters are logged as "***". Compared without case; a name that
  /// contains one of them counts as well (access_token).
  std::vector<std::string> redact = {"token", "password", "passwd", "secret", "key",
                                     "auth",  "session",  "sig",    "code",   "credential"};
  /// Requests at least this slow are logged at level warn with slow=true. 0 = none.
  std::chrono::milliseconds slow{1000};
};

struct HealthOptions {
  /// Names of failed checks and their messages are for operators. False: /health says "ok" or
  /// "failed" for each check and nothing more.
  bool show_details = false;
  /// Status of /health and /health/ready when a required check fails.
  int failure_status = 500;
};

struct Options {
  std::string service = "app";
  /// "" = environment variable APP_VERSION, else "unknown".
  std::string version{};
  /// "" = environment variable APP_ENV, else "production".
  std::string environment{};
  /// Served by attach(); "" = not served.
  std::string metrics_path = "/metrics";
  std::string health_path = "/health";

  Names names = Names::kPlain;
  /// Upper bounds in seconds / bytes.
  std::vector<double> duration_buckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                          0.25,  0.5,    1,     2.5,  5,     10};
  std::vector<double> size_buckets = {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304};
  /// Native (exponential) histograms beside the classic buckets, for scrapers that ask for the
  /// protobuf exposition. About 1.3 KiB a series and shard.
  bool native_histograms = true;
  /// A recent trace or request id per bucket, for scrapers that ask for OpenMetrics.
  bool exemplars = true;
  /// Known route templates: "/users/:id", "/users/{id}", "/files/*". With some given, every other
  /// path is one route, "unmatched", unless the handler names its own.
  std::vector<std::string> routes{};
  /// Without `routes`: paths become templates by replacing what looks like an id, "/u/17" gives
  /// "/u/{id}". For what stands in front of a server whose routes it can't know.
  bool guess_routes = false;
  /// Combinations of method and route that get their own series; the rest share route="overflow".
  std::size_t max_routes = 200;
  /// Parts into which hot counters are split; 0 = one a processor, at most 16.
  unsigned shards = 0;

  /// Addresses and CIDR blocks of proxies whose X-Forwarded-For is believed.
  std::vector<std::string> trusted_proxies{};
  AccessLogOptions access_log{};
  HealthOptions health{};
};

}  // namespace millrace::app_metrics
