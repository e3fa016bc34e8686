#pragma once
// HTTP requests, one at a time, over kept connections.
#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/base/result.h"

namespace millrace::http {

struct ClientTls {
  std::string ca_file;             ///< PEM; "" = the system's.
  std::string crt_file, key_file;  ///< PEM, of the client; "" = none.
  std::string key_pass;
  bool verify_certificate = true, verify_hostname = true;
};

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{10'000};
  std::size_t max_response_bytes = std::size_t{64} << 20;
  ClientTls tls;
  std::string proxy;                 ///< "" = what https_proxy, http_proxy and no_proxy say.
  std::vector<std::string> headers;  ///< "Name: value", of every request.
  std::string user_agent = "millrace";
};

struct Request {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;
  std::string_view body;  ///< Must live until the answer is there.
  std::chrono::milliseconds timeout{60'000};
};

struct Response {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< Names in lower case.
  std::chrono::nanoseconds took{};
  /// The header's value, or "".
  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;
};

/// Why there is no response.
struct Failure {
  enum class Kind : std::uint8_t {
    kResolve,    ///< No such host.
    kConnect,    ///< Nobody listens, or no route.
    kTls,        ///< Certificate or handshake.
    kTimeout,    ///< Of the connection or of the whole request.
    kBroken,     ///< The connection ended within the response.
    kTooLarge,   ///< More than max_response_bytes.
    kCancelled,  ///< `stop` fired.
    kOther,
  };
  Kind kind = Kind::kOther;
  std::string message;
  /// "resolve_failed", "connect_failed", ...: for a metric's label.
  [[nodiscard]] std::string_view name() const;
  [[nodiscard]] Error ToError() const;
};

/// A connection cache and its settings. Not thread safe: one for each thread.
class Client {
 public:
  static Result<std::unique_ptr<Client>> Make(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends and waits for the whole response, which replaces `response` (its memory is reused).
  /// Redirects are not followed. `stop` ends the wait within about a second.
  tl::expected<void, Failure> Send(const Request& request, Response& response,
                                   const std::stop_token& stop = {});

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Faults of an "http://host:port/path" that requests will be sent to, or "".
[[nodiscard]] std::string UrlFault(std::string_view url);
/// Percent-encodes everything but letters, digits and -._~
[[nodiscard]] std::string UrlEncode(std::string_view s);

}  // namespace millrace::http
