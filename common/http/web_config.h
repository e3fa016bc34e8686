#pragma once
// The web configuration file (--web.config.file) of exporter-toolkit: TLS, client certificates,
// response headers, basic authentication, rate limit. docs/web-config.md is its reference. The file
// and what it names are looked at again with every request (headers, users) and every TLS
// handshake (certificates), and loaded again when they changed; while a changed file is broken,
// requests get 500 and handshakes fail, as with the original.
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/http/server.h"

namespace millrace::http {

/// tls_server_config
struct TlsConfig {
  std::string cert, cert_file, key, key_file;
  std::string client_ca, client_ca_file, client_auth_type;
  std::optional<std::vector<std::string>> client_allowed_sans;
  std::string min_version = "TLS12", max_version = "TLS13";
  std::vector<std::string> cipher_suites, curve_preferences;
  bool prefer_server_cipher_suites = true;  ///< Accepted; the server's order always wins.

  /// Nothing is configured: plain HTTP.
  [[nodiscard]] bool Empty() const {
    return cert.empty() && cert_file.empty() && key.empty() && key_file.empty() &&
           client_ca.empty() && client_ca_file.empty() && client_auth_type.empty();
  }
};

struct WebConfig {
  TlsConfig tls;
  bool http2 = true;
  std::map<std::string, std::string> headers;
  std::map<std::string, std::string> users;  ///< Name -> bcrypt hash.
  std::chrono::nanoseconds rate_interval{0};
  int rate_burst = 0;
};

/// Parses the text of a web.config.yml; relative paths in it become relative to `directory`. Every
/// fault has file:line:column. Reads no other file.
[[nodiscard]] Result<WebConfig> ParseWebConfig(const std::string& text, const std::string& file,
                                               const std::string& directory);
/// The JSON Schema of the file.
[[nodiscard]] std::string WebConfigSchema();
/// A length of time in the words of Go's time.ParseDuration ("-1.5h", "1m30s"), or whole
/// nanoseconds.
[[nodiscard]] std::optional<std::chrono::nanoseconds> ParseGoDuration(std::string_view text);

/// Tokens come back one every `interval`, at most `burst` of them. Not thread safe.
class RateLimiter {
 public:
  /// An interval of 0 or less: no limit.
  RateLimiter(std::chrono::nanoseconds interval, int burst);
  [[nodiscard]] bool Allow(std::chrono::steady_clock::time_point now);

 private:
  double interval_, burst_, tokens_;
  std::chrono::steady_clock::time_point last_{};
};

/// Watches one file by its metadata. A file that changed so recently that a second change might
/// leave the same metadata counts as changed again.
class FileStamp {
 public:
  explicit FileStamp(std::string path) : path_(std::move(path)) {}
  /// True when the file may differ from what it was at the last call of Take().
  [[nodiscard]] bool Changed() const;
  /// Remembers the file as it is now. Call it before reading the file.
  void Take();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct Stamp {
    bool exists = false;
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t modified = 0, changed = 0;  ///< Nanoseconds since the epoch.
    bool operator==(const Stamp&) const = default;
  };
  [[nodiscard]] Stamp Look() const;
  std::string path_;
  Stamp stamp_;
  bool settled_ = false;
};

/// The live configuration of a server. Thread safe.
class WebGate {
 public:
  /// Loads and checks the file with everything it names. "" = no configuration.
  [[nodiscard]] static Result<std::unique_ptr<WebGate>> Make(const std::string& file);
  ~WebGate();

  /// TLS was configured at the start; it can't be switched on or off later.
  [[nodiscard]] bool tls() const;
  [[nodiscard]] bool http2() const;
  /// Rate limit, headers and authentication. False: `response` is the final answer.
  [[nodiscard]] bool Admit(const Request& request, Response& response);
  /// The SSL_CTX for a new handshake (valid while the returned pointer lives).
  [[nodiscard]] Result<std::shared_ptr<void>> TlsContext();
  /// For when TlsContext() fails: every handshake ends with the alert internal_error.
  [[nodiscard]] std::shared_ptr<void> BrokenContext();

 private:
  struct State;
  explicit WebGate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::http
