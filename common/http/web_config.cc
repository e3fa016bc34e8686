#include "common/http/web_config.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <mutex>

#include <sys/stat.h>

#include "common/base/fd.h"
#include "common/base/strings.h"
#include "common/config/visitor.h"
#include "common/http/basic_auth.h"
#include "common/http/tls.h"
#include "common/log/log.h"

namespace millrace::http {

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{4} << 20;

/// Headers that may be configured, with the values allowed ("" = any).
constexpr std::pair<std::string_view, std::string_view> kHeaders[] = {
    {"Content-Security-Policy", ""},
    {"Strict-Transport-Security", ""},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "deny sameorigin"},
    {"X-XSS-Protection", ""}};

std::string CheckHeader(const std::string& name, const std::string& value) {
  for (const auto& [known, values] : kHeaders) {
    if (known != name) continue;
    const auto allowed = SplitWhitespace(values);
    if (values.empty() || std::find(allowed.begin(), allowed.end(), value) != allowed.end())
      return {};
    return "invalid value \"" + Printable(value) + "\" for " + name +
           " (allowed: " + std::string(values) + ")";
  }
  std::vector<std::string_view> names;
  for (const auto& header : kHeaders) names.push_back(header.first);
  return "header \"" + Printable(name) + "\" can not be configured" + DidYouMean(name, names);
}

struct HttpSection {
  WebConfig* config;
};
struct RateSection {
  WebConfig* config;
};

std::string CheckNames(const std::vector<std::string>& names, bool (*known)(std::string_view),
                       std::string_view what) {
  for (const std::string& name : names)
    if (!known(name)) return "unknown " + std::string(what) + " \"" + Printable(name) + "\"";
  return {};
}

void Visit(config::Visitor& v, HttpSection& s) {
  v.Field("http2", s.config->http2, "Offer HTTP/2 to TLS clients. Read at the start only.");
  v.Field("headers", s.config->headers,
          "Response headers: Content-Security-Policy, Strict-Transport-Security, "
          "X-Content-Type-Options, X-Frame-Options, X-XSS-Protection.")
      .Check([](const std::map<std::string, std::string>& headers) {
        for (const auto& [name, value] : headers)
          if (std::string why = CheckHeader(name, value); !why.empty()) return why;
        return std::string();
      });
}

void Visit(config::Visitor& v, RateSection& s) {
  std::string interval = "0s";
  v.Field("interval", interval,
          "Time for one more request to be allowed, such as 1s; 0 = no limit. Read at the start "
          "only.")
      .Check([&](const std::string& text) {
        const auto d = ParseGoDuration(text);
        if (!d) return std::string("must be a duration, such as 500ms, 1s or 2m");
        s.config->rate_interval = *d;
        return std::string();
      });
  v.Field("burst", s.config->rate_burst, "Requests allowed at once. Read at the start only.");
}

}  // namespace

void Visit(config::Visitor& v, TlsConfig& c) {
  v.Field("cert_file", c.cert_file, "Server certificate with its chain, PEM.");
  v.Field("key_file", c.key_file, "Private key, PEM.");
  v.Field("cert", c.cert, "The certificate itself, instead of cert_file.");
  v.Field("key", c.key, "The private key itself, instead of key_file.");
  v.Field("client_auth_type", c.client_auth_type,
          "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or "
          "RequireAndVerifyClientCert.");
  v.Field("client_ca_file", c.client_ca_file, "CAs of the clients' certificates, PEM.");
  v.Field("client_ca", c.client_ca, "The CAs themselves, instead of client_ca_file.");
  v.Field("client_allowed_sans", c.client_allowed_sans,
          "A client's certificate must carry one of these subject alternative names.");
  v.Field("min_version", c.min_version, "Oldest TLS version.")
      .OneOf({"TLS10", "TLS11", "TLS12", "TLS13"});
  v.Field("max_version", c.max_version, "Newest TLS version.")
      .OneOf({"TLS10", "TLS11", "TLS12", "TLS13"});
  v.Field("cipher_suites", c.cipher_suites, "Suites for TLS 1.2 and older, by their IANA names.")
      .Check([](const std::vector<std::string>& names) {
        return CheckNames(names, IsCipherSuite, "cipher");
      });
  v.Field("curve_preferences", c.curve_preferences,
          "CurveP256, CurveP384, CurveP521, X25519, best first.")
      .Check([](const std::vector<std::string>& names) {
        return CheckNames(names, IsCurve, "curve");
      });
  v.Field("prefer_server_cipher_suites", c.prefer_server_cipher_suites,
          "Accepted for compatibility; the server's order always wins.");
}

void Visit(config::Visitor& v, WebConfig& c) {
  HttpSection http{&c};
  RateSection rate{&c};
  v.Field("tls_server_config", c.tls, "TLS; without it the server speaks plain HTTP.");
  v.Field("http_server_config", http, "HTTP.");
  v.Field("rate_limit", rate, "Limit of all requests together.");
  v.Field("basic_auth_users", c.users, "User name: bcrypt hash of the password.")
      .Check([](const std::map<std::string, std::string>& users) {
        for (const auto& [name, hash] : users)
          if (const std::string why = CheckBcryptHash(hash); !why.empty())
            return "user \"" + Printable(name) + "\": " + why;
        return std::string();
      });
  if (const std::string why = CheckTlsConfig(c.tls, c.http2); !why.empty())
    v.Complain("tls_server_config", why);
}

std::optional<std::chrono::nanoseconds> ParseGoDuration(std::string_view text) {
  if (const auto whole = ParseNumber<std::int64_t>(text)) return std::chrono::nanoseconds(*whole);
  if (text.find_first_of("dwy") != std::string_view::npos) return std::nullopt;  // not Go's units
  return config::ParseDuration(text);
}

Result<WebConfig> ParseWebConfig(const std::string& text, const std::string& file,
                                 const std::string& directory) {
  config::Problems problems;
  WebConfig c;
  const YAML::Node root = config::Parse(text, file, problems);
  if (problems.empty()) {
    config::Visitor v(root, file, "", problems);
    Visit(v, c);
  }
  MILLRACE_TRY(problems.ToStatus());
  for (std::string* path : {&c.tls.cert_file, &c.tls.key_file, &c.tls.client_ca_file})
    if (!path->empty() && path->front() != '/') *path = directory + "/" + *path;
  return c;
}

std::string WebConfigSchema() {
  config::Schema schema;
  WebConfig c;
  config::Visitor v(schema);
  Visit(v, c);
  return config::ToJsonSchema(schema);
}

RateLimiter::RateLimiter(std::chrono::nanoseconds interval, int burst)
    : interval_(static_cast<double>(interval.count())), burst_(burst), tokens_(burst) {}

bool RateLimiter::Allow(std::chrono::steady_clock::time_point now) {
  if (interval_ <= 0) return true;
  if (last_ != std::chrono::steady_clock::time_point{})
    tokens_ = std::min(
        burst_,
        tokens_ + static_cast<double>(std::chrono::nanoseconds(now - last_).count()) / interval_);
  last_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

FileStamp::Stamp FileStamp::Look() const {
  struct stat st{};
  Stamp s;
  if (::stat(path_.c_str(), &st) != 0) return s;
  const auto nanoseconds = [](const timespec& t) {
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  };
  s.exists = true;
  s.device = st.st_dev;
  s.inode = st.st_ino;
  s.size = static_cast<std::uint64_t>(st.st_size);
  s.modified = nanoseconds(st.st_mtim);
  s.changed = nanoseconds(st.st_ctim);
  return s;
}

bool FileStamp::Changed() const { return !settled_ || Look() != stamp_; }

void FileStamp::Take() {
  stamp_ = Look();
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  // A file system's clock may tick as slowly as once in two seconds.
  settled_ =
      std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec - stamp_.changed > 2'000'000'000;
}

struct WebGate::State {
  explicit State(std::string f) : file(f), stamp(std::move(f)) {}

  /// The configuration as the file is now. `mu` is held.
  Result<std::shared_ptr<const WebConfig>> Current();
  Status LoadTls(const WebConfig& c);

  const std::string file;
  bool tls = false, http2 = false;
  PasswordChecker passwords;

  std::mutex mu;
  FileStamp stamp;
  std::shared_ptr<const WebConfig> config;
  Status status;  ///< Of the last load.
  std::optional<RateLimiter> limiter;

  std::vector<FileStamp> tls_files;
  std::shared_ptr<const WebConfig> tls_config;  ///< What `context` was made from.
  std::shared_ptr<void> context;
  Status tls_status;
};

Result<std::shared_ptr<const WebConfig>> WebGate::State::Current() {
  if (config != nullptr || !status) {
    if (!stamp.Changed()) {
      if (!status) return tl::unexpected(status.error());
      return config;
    }
  }
  stamp.Take();
  auto text = ReadFile(file, kMaxFileBytes);
  const auto slash = file.rfind('/');
  Result<WebConfig> loaded =
      text ? ParseWebConfig(*text, file, slash == std::string::npos ? "." : file.substr(0, slash))
           : Result<WebConfig>(tl::unexpected(text.error()));
  if (!loaded) {
    if (status || status.error().message != loaded.error().message)
      log::Error("Unable to load the web configuration", {{"error", loaded.error()}});
    status = tl::unexpected(loaded.error());
    return tl::unexpected(loaded.error());
  }
  status = {};
  config = std::make_shared<const WebConfig>(std::move(*loaded));
  return config;
}

Status WebGate::State::LoadTls(const WebConfig& c) {
  tls_files.clear();
  if (c.tls.Empty()) return Fail(ErrorCode::kInvalidArgument, "TLS config is not present");
  const auto read = [&](const std::string& path, const std::string& inlined,
                        std::string_view what) -> Result<std::string> {
    if (path.empty()) return inlined;
    tls_files.emplace_back(path).Take();
    auto text = ReadFile(path, kMaxFileBytes);
    if (!text) return tl::unexpected(std::move(text).error().Within(what));
    return text;
  };
  TlsMaterial m;
  MILLRACE_ASSIGN(m.cert, read(c.tls.cert_file, c.tls.cert, "failed to read cert_file"));
  MILLRACE_ASSIGN(m.key, read(c.tls.key_file, c.tls.key, "failed to read key_file"));
  MILLRACE_ASSIGN(m.client_ca, read(c.tls.client_ca_file, c.tls.client_ca, "client_ca_file"));
  MILLRACE_ASSIGN(context, MakeTlsContext(c.tls, m, http2));
  return {};
}

WebGate::WebGate(std::unique_ptr<State> state) : state_(std::move(state)) {}
WebGate::~WebGate() = default;

Result<std::unique_ptr<WebGate>> WebGate::Make(const std::string& file) {
  auto state = std::make_unique<State>(file);
  if (!file.empty()) {
    MILLRACE_ASSIGN(const auto config, state->Current());
    state->tls = !config->tls.Empty();
    state->http2 = state->tls && config->http2;
    if (state->tls) {
      MILLRACE_TRY(state->LoadTls(*config));
      state->tls_config = config;
    }
    if (config->rate_interval.count() != 0) {
      state->limiter.emplace(config->rate_interval, config->rate_burst);
      log::Info("Rate limiter is enabled",
                {{"burst", config->rate_burst}, {"interval", config->rate_interval}});
    }
  }
  return std::unique_ptr<WebGate>(new WebGate(std::move(state)));
}

bool WebGate::tls() const { return state_->tls; }
bool WebGate::http2() const { return state_->http2; }

bool WebGate::Admit(const Request& request, Response& response) {
  State& s = *state_;
  if (s.file.empty()) return true;
  std::shared_ptr<const WebConfig> config;
  {
    const std::lock_guard lock(s.mu);
    if (auto current = s.Current()) config = std::move(*current);
    if (config != nullptr && s.limiter && !s.limiter->Allow(std::chrono::steady_clock::now())) {
      response.Error(429, StatusText(429));
      return false;
    }
  }
  if (config == nullptr) {
    response.Error(500, StatusText(500));
    return false;
  }
  for (const auto& [name, value] : config->headers) response.SetHeader(name, value);
  if (config->users.empty()) return true;
  if (const auto given = ParseBasicAuth(request.Header("Authorization"))) {
    switch (s.passwords.Check(config->users, *given)) {
      case AuthResult::kYes:
        return true;
      case AuthResult::kBusy:
        response.SetHeader("Retry-After", "1");
        response.Error(503, StatusText(503));
        return false;
      case AuthResult::kNo:
        break;
    }
  }
  response.SetHeader("WWW-Authenticate", "Basic");
  response.Error(401, StatusText(401));
  return false;
}

Result<std::shared_ptr<void>> WebGate::TlsContext() {
  State& s = *state_;
  const std::lock_guard lock(s.mu);
  const auto config = s.Current();
  if (!config) return tl::unexpected(config.error());
  const bool changed =
      s.tls_config != *config || std::any_of(s.tls_files.begin(), s.tls_files.end(),
                                             [](const FileStamp& f) { return f.Changed(); });
  if (changed) {
    s.tls_config = *config;
    Status loaded = s.LoadTls(**config);
    if (!loaded && (s.tls_status || s.tls_status.error().message != loaded.error().message))
      log::Error("Unable to load the TLS configuration", {{"error", loaded.error()}});
    s.tls_status = std::move(loaded);
  }
  if (!s.tls_status) return tl::unexpected(s.tls_status.error());
  return s.context;
}

std::shared_ptr<void> WebGate::BrokenContext() { return BrokenTlsContext(); }

}  // namespace millrace::http
