#include "common/http/client/client.h"

#include <algorithm>
#include <cctype>

#include "common/base/strings.h"
#include "common/http/client/curl_api.h"

namespace millrace::http {

std::string_view Response::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

std::string_view Failure::name() const {
  switch (kind) {
    case Kind::kResolve:
      return "resolve_failed";
    case Kind::kConnect:
      return "connect_failed";
    case Kind::kTls:
      return "tls_failed";
    case Kind::kTimeout:
      return "timeout";
    case Kind::kBroken:
      return "connection_broken";
    case Kind::kTooLarge:
      return "response_too_large";
    case Kind::kCancelled:
      return "cancelled";
    case Kind::kOther:
      break;
  }
  return "request_failed";
}

Error Failure::ToError() const {
  switch (kind) {
    case Kind::kTimeout:
      return {ErrorCode::kTimeout, message};
    case Kind::kCancelled:
      return {ErrorCode::kCancelled, message};
    case Kind::kTooLarge:
      return {ErrorCode::kResourceExhausted, message};
    default:
      return {ErrorCode::kUnavailable, message};
  }
}

struct Client::Impl {
  const CurlApi* api = nullptr;
  CURL* handle = nullptr;
  ClientOptions options;
  char error[CURL_ERROR_SIZE] = {};

  // Of the request under way.
  Response* response = nullptr;
  const std::stop_token* stop = nullptr;
  bool too_large = false;

  ~Impl() {
    if (handle != nullptr) api->easy_cleanup(handle);
  }

  template <class T>
  void Set(CURLoption option, T value) {
    api->easy_setopt(handle, option, value);
  }

  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self) {
    auto& me = *static_cast<Impl*>(self);
    if (me.response->body.size() + size * count > me.options.max_response_bytes) {
      me.too_large = true;
      return 0;
    }
    me.response->body.append(data, size * count);
    return size * count;
  }

  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
    auto& me = *static_cast<Impl*>(self);
    const std::string_view line = Trim({data, size * count});
    // A new status line: what came before belonged to a 100 Continue or a proxy.
    if (line.starts_with("HTTP/")) me.response->headers.clear();
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && me.response->headers.size() < 100)
      me.response->headers.emplace_back(ToLower(line.substr(0, colon)),
                                        std::string(Trim(line.substr(colon + 1))));
    return size * count;
  }

  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Impl*>(self)->stop->stop_requested() ? 1 : 0;
  }

  void Apply(const Request& request) {
    api->easy_reset(handle);  // keeps connections and the DNS cache
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_ERRORBUFFER, error);
    Set(CURLOPT_URL, request.url.c_str());
    Set(CURLOPT_USERAGENT, options.user_agent.c_str());
    Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
    Set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
    Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    Set(CURLOPT_TCP_KEEPALIVE, 1L);
    Set(CURLOPT_WRITEFUNCTION, &OnBody);
    Set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    Set(CURLOPT_HEADERFUNCTION, &OnHeader);
    Set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    Set(CURLOPT_NOPROGRESS, 0L);
    Set(CURLOPT_XFERINFOFUNCTION, &OnProgress);
    Set(CURLOPT_XFERINFODATA, static_cast<void*>(this));
    if (!options.proxy.empty()) Set(CURLOPT_PROXY, options.proxy.c_str());
    if (request.method == "HEAD") {
      Set(CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET") {
      Set(CURLOPT_POST, 1L);
      Set(CURLOPT_POSTFIELDS, request.body.data() != nullptr ? request.body.data() : "");
      Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    const ClientTls& tls = options.tls;
    if (!tls.ca_file.empty()) Set(CURLOPT_CAINFO, tls.ca_file.c_str());
    if (!tls.crt_file.empty()) Set(CURLOPT_SSLCERT, tls.crt_file.c_str());
    if (!tls.key_file.empty()) Set(CURLOPT_SSLKEY, tls.key_file.c_str());
    if (!tls.key_pass.empty()) Set(CURLOPT_KEYPASSWD, tls.key_pass.c_str());
    Set(CURLOPT_SSL_VERIFYPEER, tls.verify_certificate ? 1L : 0L);
    Set(CURLOPT_SSL_VERIFYHOST, tls.verify_certificate && tls.verify_hostname ? 2L : 0L);
  }

  Failure Explain(CURLcode code, const Request& request) {
    const std::string what =
        error[0] != '\0' ? std::string(error) : std::string(api->easy_strerror(code));
    const auto failure = [&](Failure::Kind kind, std::string text) {
      return Failure{kind, request.url.substr(0, request.url.find('?')) + ": " + std::move(text)};
    };
    using enum Failure::Kind;
    switch (code) {
      case CURLE_COULDNT_RESOLVE_HOST:
      case CURLE_COULDNT_RESOLVE_PROXY:
        return failure(kResolve, what);
      case CURLE_COULDNT_CONNECT:
        return failure(kConnect, what);
      case CURLE_SSL_CONNECT_ERROR:
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CERTPROBLEM:
      case CURLE_SSL_CIPHER:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_SSL_ISSUER_ERROR:
      case CURLE_SSL_ENGINE_SETFAILED:
        return failure(
            kTls, "TLS: " + what +
                      (options.tls.ca_file.empty() ? " (system certificates)"
                                                   : " (ca_file " + options.tls.ca_file + ")"));
      case CURLE_OPERATION_TIMEDOUT:
        return failure(kTimeout, what);
      case CURLE_ABORTED_BY_CALLBACK:
        return failure(kCancelled, "stopped while waiting");
      case CURLE_WRITE_ERROR:
        if (too_large)
          return failure(kTooLarge, "the response is larger than " +
                                        std::to_string(options.max_response_bytes) + " bytes");
        return failure(kOther, what);
      case CURLE_PARTIAL_FILE:
      case CURLE_GOT_NOTHING:
      case CURLE_RECV_ERROR:
      case CURLE_SEND_ERROR:
        return failure(kBroken, what);
      default:
        return failure(kOther, what);
    }
  }
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::Make(ClientOptions options) {
  MILLRACE_ASSIGN(const CurlApi* api, LoadCurl());
  auto impl = std::make_unique<Impl>();
  impl->api = api;
  impl->options = std::move(options);
  impl->handle = api->easy_init();
  if (impl->handle == nullptr) return Fail(ErrorCode::kInternal, "libcurl gives no handle");
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

tl::expected<void, Failure> Client::Send(const Request& request, Response& response,
                                         const std::stop_token& stop) {
  Impl& me = *impl_;
  response.status = 0;
  response.body.clear();
  response.headers.clear();
  me.response = &response;
  me.stop = &stop;
  me.too_large = false;
  me.error[0] = '\0';
  me.Apply(request);
  curl_slist* list = nullptr;
  const auto add = [&](const std::string& header) {
    if (curl_slist* grown = me.api->slist_append(list, header.c_str()); grown != nullptr)
      list = grown;
  };
  // A 100 Continue costs a round trip for each request.
  add("Expect:");
  for (const std::string& h : me.options.headers) add(h);
  for (const std::string& h : request.headers) add(h);
  me.Set(CURLOPT_HTTPHEADER, list);
  const auto start = std::chrono::steady_clock::now();
  const CURLcode code = me.api->easy_perform(me.handle);
  response.took = std::chrono::steady_clock::now() - start;
  long status = 0;
  me.api->easy_getinfo(me.handle, CURLINFO_RESPONSE_CODE, &status);
  me.Set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  me.api->slist_free_all(list);
  response.status = static_cast<int>(status);
  if (code != CURLE_OK) return tl::make_unexpected(me.Explain(code, request));
  return {};
}

std::string UrlFault(std::string_view url) {
  const bool tls = url.starts_with("https://");
  if (!tls && !url.starts_with("http://")) return "must start with http:// or https://";
  const std::string_view rest = url.substr(tls ? 8 : 7);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos)
    return "must not have a user and password in it; use `auth`";
  if (rest.find_first_of("?#") != std::string_view::npos) return "must not have a query";
  for (const char c : url)
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '<' || c == '>' || c == '\\')
      return "has a character that no URL has";
  std::string_view host = authority, port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return "has \"[\" without \"]\"";
    host = authority.substr(0, end + 1);
    port = authority.substr(end + 1);
  } else if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (host.empty() || host == "[]") return "has no host";
  if (!port.empty()) {
    const auto number = ParseNumber<unsigned>(port.substr(1));
    if (port[0] != ':' || !number || *number == 0 || *number > 65535)
      return "has a port that is not a number from 1 to 65535";
  }
  return {};
}

std::string UrlEncode(std::string_view s) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kHex[u >> 4];
      out += kHex[u & 15];
    }
  }
  return out;
}

}  // namespace millrace::http
