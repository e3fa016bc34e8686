#pragma once
// The HTTP server of every Millrace binary: one epoll thread that reads requests and a small pool
// of workers that answers them, HTTP/1.1 and (over TLS, when the client prefers it) HTTP/2. Flags,
// listeners, TLS and the web configuration file behave as Prometheus' exporter-toolkit does
// (docs/web-config.md).
//
//   http::ServerOptions options;
//   options.listen_addresses = {":9100"};
//   http::Routes routes;
//   routes.Exact("/metrics", [](const http::Request& q, http::Response& r) { ... });
//   MILLRACE_ASSIGN(auto server, http::Server::Start(std::move(options), std::move(routes)));
//
// Everything is bounded: bytes of head and body, requests and idle time of a connection, the time
// a client has for its head and body, connections, workers. A client that is slow holds a
// connection, never a worker; when connections run out, the oldest one that waits for its client
// makes room.
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/http/request_parser.h"

namespace millrace::http {

/// One request. The views live as long as the call of the handler.
struct Request {
  std::string_view method;  ///< "GET"; handlers get every method.
  std::string_view path;    ///< Decoded, cleaned: "/metrics".
  std::string_view query;   ///< As sent, without the "?".
  std::string_view remote;  ///< "127.0.0.1:40312", or "@" for a unix socket.
  std::string_view body;
  const std::vector<HeaderField>* fields = nullptr;
  bool tls = false;

  /// The first field of that name, or "". Case is ignored.
  [[nodiscard]] std::string_view Header(std::string_view name) const;
  /// Calls `f` for each "key=value" of the query, decoded. A pair with a broken escape is skipped.
  void EachQuery(const std::function<void(std::string_view key, std::string_view value)>& f) const;
  /// The first value of a query key, or `fallback`.
  [[nodiscard]] std::string Query(std::string_view key, std::string_view fallback = {}) const;
};

/// One answer. Objects are reused: `body` comes empty with the capacity of earlier answers, so a
/// handler that appends to it does not allocate after warm-up.
class Response {
 public:
  int status = 200;
  std::string body;
  /// If not empty, sent instead of `body`. Must stay valid until `hold` is released, which happens
  /// when the bytes are in the socket or copied.
  std::string_view view;
  std::shared_ptr<const void> hold;

  /// Replaces the field if it was set before. Line breaks in the value become blanks.
  void SetHeader(std::string_view name, std::string_view value);
  void SetContentType(std::string_view value) { SetHeader("Content-Type", value); }
  /// A plain text answer as Go's http.Error gives: "text\n", with the nosniff header.
  void Error(int code, std::string_view text);
  void Redirect(int code, std::string_view location);

  /// "Name: value\r\n" lines.
  [[nodiscard]] std::string_view header_lines() const { return lines_; }
  [[nodiscard]] std::string_view content() const {
    return view.empty() ? std::string_view(body) : view;
  }
  void Reset();

 private:
  std::string lines_;
};

/// "OK", "Not Found", ...; "" for a status we never send.
[[nodiscard]] std::string_view StatusText(int status);

using Handler = std::function<void(const Request&, Response&)>;

/// Paths and their handlers. An exact path wins over prefixes, a longer prefix over a shorter one;
/// without a match the answer is 404, and an unclean path ("//metrics") is redirected.
class Routes {
 public:
  Routes& Exact(std::string path, Handler handler);
  /// Every path that begins with `prefix`.
  Routes& Prefix(std::string prefix, Handler handler);
  /// Answers the request, with 404 or a redirect if there is no handler.
  void Serve(const Request& request, Response& response) const;

 private:
  struct Route {
    std::string path;
    bool prefix;
    Handler handler;
  };
  std::vector<Route> routes_;
};

/// GET /-/healthy and /-/ready answer "OK". `ready` says why not yet, or "".
void AddHealthRoutes(Routes& routes, std::function<std::string()> ready = {});

struct ServerOptions {
  /// host:port, :port (every interface, IPv4 and IPv6), [v6]:port, vsock://:port.
  std::vector<std::string> listen_addresses;
  /// Serve the sockets that systemd passed (LISTEN_FDS) instead of listening.
  bool systemd_socket = false;
  /// web.config.yml; "" = plain HTTP without authentication.
  std::string web_config_file;

  std::size_t max_connections = 512;
  std::size_t max_workers = 64;  ///< Started when needed, stopped after `worker_idle`.
  std::size_t max_body_bytes = std::size_t{1} << 20;
  std::size_t max_requests_per_connection = 100'000;
  ParseLimits head;
  std::chrono::milliseconds head_timeout{10'000};  ///< From the first byte (TLS: from accept).
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds write_timeout{60'000};
  std::chrono::milliseconds idle_timeout{300'000};
  std::chrono::milliseconds worker_idle{30'000};
  std::chrono::milliseconds stop_grace{5'000};
};

/// What the server did since its start. Every refused request or connection is in one of them.
struct ServerStats {
  std::atomic<std::uint64_t> connections{0}, requests{0};
  std::atomic<std::uint64_t> bad_requests{0};  ///< Answered 4xx/5xx by the parser.
  std::atomic<std::uint64_t> head_timeouts{0}, body_timeouts{0}, write_timeouts{0};
  std::atomic<std::uint64_t> evicted{0};  ///< Closed to make room for a newer connection.
  std::atomic<std::uint64_t> refused{0};  ///< No room at all.
  std::atomic<std::uint64_t> tls_failures{0};
};

class Server {
 public:
  /// Opens every listener, checks the web configuration, then serves on its own threads. An error
  /// names the address or the place in the file.
  [[nodiscard]] static Result<std::unique_ptr<Server>> Start(ServerOptions options, Routes routes);
  /// Stops accepting, lets running answers finish for `stop_grace`, joins every thread.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The addresses listened on, with real ports: "127.0.0.1:9100", "[::]:9100".
  [[nodiscard]] const std::vector<std::string>& addresses() const;
  /// Port of the first TCP listener, 0 if there is none.
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] const ServerStats& stats() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::http
