#include "exporters/uptime_probe/http/transport.h"

#include <algorithm>

#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/http/http2.h"
#include "exporters/uptime_probe/io/resolver.h"

namespace millrace::uptime_probe::web {
namespace {

class Connector {
 public:
  Connector(const Request& request, const TransportOptions& options, Trace& trace, TlsInfo& info)
      : request_(request), options_(options), trace_(trace), info_(info) {}

  Result<Response> Run() {
    trace_.tls = request_.url.IsTls();
    const std::string proxy =
        options_.proxy == nullptr ? std::string() : ChooseProxy(*options_.proxy, request_.url);
    std::unique_ptr<Stream> stream;
    if (proxy.empty()) {
      MILLRACE_ASSIGN(stream, Dial(request_.url, options_.refuse_internal));
    } else {
      auto through = DialProxy(proxy);
      if (!through) {
        if (trace_.reason.empty()) trace_.reason = "proxy";
        return tl::make_unexpected(std::move(through).error());
      }
      stream = std::move(*through);
    }
    if (trace_.tls) {
      MILLRACE_ASSIGN(stream, StartTls(std::move(stream)));
    }
    trace_.got_connection = Clock::now();
    auto response = info_.alpn == "h2" && trace_.tls ? OverHttp2(std::move(stream))
                                                     : OverHttp1(std::move(stream));
    if (!response && trace_.reason.empty()) trace_.reason = "http";
    if (response) response->tls = trace_.tls;
    return response;
  }

 private:
  /// TCP to the host of a URL, the addresses one after the other.
  Result<std::unique_ptr<Stream>> Dial(const Url& url, bool refuse_internal) {
    const std::string host = url.HostName();
    trace_.start = Clock::now();
    auto addresses = ResolveHost(host, IpFamily::kAny, options_.deadline);
    trace_.dns_done = Clock::now();
    if (!addresses) {
      trace_.reason = "dns";
      return tl::make_unexpected(std::move(addresses).error());
    }
    if (ParseIp(host)) trace_.dns_done = trace_.start;
    const auto port = ParsePort(url.PortOrDefault(), "tcp");
    if (!port) {
      trace_.reason = "connect";
      return Fail(ErrorCode::kInvalidArgument, "invalid port " + url.Port());
    }
    Error last{ErrorCode::kUnavailable, "no address"};
    for (std::size_t i = 0; i < addresses->size(); ++i) {
      const IpAddress& ip = (*addresses)[i];
      if (refuse_internal && IsInternal(ip)) {
        trace_.reason = "refused_target";
        return Fail(ErrorCode::kPermission, "target " + ip.Text() + " is internal and refused");
      }
      // A dead first address must leave time for the next.
      const auto share =
          Remaining(options_.deadline) / static_cast<std::int64_t>(addresses->size() - i);
      auto fd = ConnectTcp(ip, *port, nullptr, std::min(options_.deadline, Clock::now() + share));
      trace_.connect_done = Clock::now();
      if (fd) return std::make_unique<SocketStream>(std::move(*fd), options_.deadline);
      last = std::move(fd).error();
    }
    trace_.reason = "connect";
    return tl::make_unexpected(std::move(last));
  }

  /// What the proxy is told to connect to could be internal as well. Names are its to resolve.
  Status CheckTargetBehindProxy() {
    const auto ip = ParseIp(request_.url.HostName());
    if (!options_.refuse_internal || !ip || !IsInternal(*ip)) return {};
    trace_.reason = "refused_target";
    return Fail(ErrorCode::kPermission, "target " + ip->Text() + " is internal and refused");
  }

  Result<std::unique_ptr<Stream>> DialProxy(const std::string& text) {
    MILLRACE_TRY(CheckTargetBehindProxy());
    MILLRACE_ASSIGN(const Url proxy,
                    Url::Parse(text.find("://") == std::string::npos ? "http://" + text : text));
    const bool socks = proxy.scheme.starts_with("socks5");
    if (!socks && proxy.scheme != "http" && proxy.scheme != "https")
      return Fail(ErrorCode::kInvalidArgument, "unsupported proxy scheme " + proxy.scheme);
    MILLRACE_ASSIGN(std::unique_ptr<Stream> stream, Dial(proxy, false));
    if (proxy.IsTls()) {
      MILLRACE_ASSIGN(const auto context, TlsContext::Get(*options_.tls));
      TlsInfo proxy_info;
      MILLRACE_ASSIGN(stream, TlsStream::Connect(std::move(stream), *context, proxy.HostName(), {},
                                                 proxy_info));
    }
    if (socks) return Socks5(std::move(stream), proxy);
    if (proxy.userinfo)
      proxy_authorization_ = "Basic " + Base64Encode(PercentDecode(*proxy.userinfo));
    if (!trace_.tls) {
      absolute_ = true;
      return stream;
    }
    return Tunnel(std::move(stream));
  }

  /// CONNECT (RFC 9110 9.3.6).
  Result<std::unique_ptr<Stream>> Tunnel(std::unique_ptr<Stream> stream) {
    const std::string target = JoinHostPort(request_.url.HostName(), request_.url.PortOrDefault());
    std::string head = fmt::format("CONNECT {} HTTP/1.1\r\nHost: {}\r\n", target, target);
    for (const auto& [name, values] : options_.proxy->proxy_connect_header)
      for (const auto& value : values) head += fmt::format("{}: {}\r\n", name, value.value);
    if (!proxy_authorization_.empty() &&
        !options_.proxy->proxy_connect_header.contains("Proxy-Authorization"))
      head += "Proxy-Authorization: " + proxy_authorization_ + "\r\n";
    MILLRACE_TRY(stream->Write(head + "\r\n"));
    auto buffered = std::make_shared<BufferedStream>(std::move(stream));
    Trace unused;
    MILLRACE_ASSIGN(Response r, ReadHttp1Response(buffered, "HEAD", unused));
    if (r.status != 200)
      return Fail(ErrorCode::kUnavailable, fmt::format("proxy answered CONNECT with {}", r.status));
    r.connection.reset();
    return buffered->Release();
  }

  /// RFC 1928 and 1929.
  Result<std::unique_ptr<Stream>> Socks5(std::unique_ptr<Stream> stream, const Url& proxy) {
    const auto read = [&stream](std::size_t n) -> Result<std::string> {
      std::string out(n, '\0');
      for (std::size_t at = 0; at < n;) {
        MILLRACE_ASSIGN(const std::size_t got, stream->Read(out.data() + at, n - at));
        if (got == 0) return Fail(ErrorCode::kUnavailable, "socks proxy closed the connection");
        at += got;
      }
      return out;
    };
    const std::string user = proxy.userinfo ? *proxy.userinfo : "";
    MILLRACE_TRY(stream->Write(user.empty() ? std::string("\x05\x01\x00", 3)
                                            : std::string("\x05\x02\x00\x02", 4)));
    MILLRACE_ASSIGN(const std::string method, read(2));
    if (method == "\x05\x02") {
      const auto colon = user.find(':');
      const std::string name = PercentDecode(user.substr(0, colon));
      const std::string password =
          colon == std::string::npos ? "" : PercentDecode(user.substr(colon + 1));
      if (name.size() > 255 || password.size() > 255)
        return Fail(ErrorCode::kInvalidArgument, "socks user or password too long");
      std::string login = "\x01";
      login += static_cast<char>(name.size());
      login += name;
      login += static_cast<char>(password.size());
      login += password;
      MILLRACE_TRY(stream->Write(login));
      MILLRACE_ASSIGN(const std::string answer, read(2));
      if (answer[1] != 0) return Fail(ErrorCode::kPermission, "socks proxy refused the login");
    } else if (method != std::string("\x05\x00", 2)) {
      return Fail(ErrorCode::kUnavailable, "socks proxy offers no usable login");
    }
    const std::string host = request_.url.HostName();
    const auto port = ParsePort(request_.url.PortOrDefault(), "tcp");
    if (host.size() > 255 || !port)
      return Fail(ErrorCode::kInvalidArgument, "bad target for socks");
    std::string ask("\x05\x01\x00", 3);
    if (const auto ip = ParseIp(host)) {
      ask += ip->v6 ? '\x04' : '\x01';
      ask += ip->Bytes();
    } else {
      ask += '\x03';
      ask += static_cast<char>(host.size());
      ask += host;
    }
    ask += static_cast<char>(*port >> 8);
    ask += static_cast<char>(*port);
    MILLRACE_TRY(stream->Write(ask));
    MILLRACE_ASSIGN(const std::string answer, read(4));
    if (answer[1] != 0)
      return Fail(ErrorCode::kUnavailable, fmt::format("socks proxy could not connect (code {})",
                                                       static_cast<int>(answer[1])));
    std::size_t rest = 6;
    if (answer[3] == 4) rest = 18;
    if (answer[3] == 3) {
      MILLRACE_ASSIGN(const std::string length, read(1));
      rest = static_cast<unsigned char>(length[0]) + 2U;
    }
    MILLRACE_TRY(read(rest));
    return stream;
  }

  Result<std::unique_ptr<Stream>> StartTls(std::unique_ptr<Stream> stream) {
    trace_.reason = "tls";
    MILLRACE_ASSIGN(const auto context, TlsContext::Get(*options_.tls));
    trace_.tls_start = Clock::now();
    std::vector<std::string> alpn = {"http/1.1"};
    if (options_.http2) alpn.insert(alpn.begin(), "h2");
    const std::string name =
        options_.server_name.empty() ? request_.url.HostName() : options_.server_name;
    auto tls = TlsStream::Connect(std::move(stream), *context, name, alpn, info_);
    trace_.tls_done = Clock::now();
    if (!tls) {
      if (!info_.verify_failure.empty()) trace_.reason = info_.verify_failure;
      return tl::make_unexpected(std::move(tls).error());
    }
    trace_.reason = {};
    return std::move(*tls);
  }

  [[nodiscard]] const std::string& Host() const {
    return request_.host.empty() ? request_.url.host : request_.host;
  }

  Result<Response> OverHttp1(std::unique_ptr<Stream> stream) {
    std::string head = request_.method + " ";
    if (absolute_) head += request_.url.scheme + "://" + request_.url.host;
    head += request_.url.RequestTarget() + " HTTP/1.1\r\nHost: " + Host() + "\r\n";
    for (const auto& [name, value] : request_.headers.list()) head += name + ": " + value + "\r\n";
    const bool wants_length = request_.method == "POST" || request_.method == "PUT" ||
                              request_.method == "PATCH" || !request_.body.empty();
    if (wants_length && !request_.headers.Has("Content-Length"))
      head += fmt::format("Content-Length: {}\r\n", request_.body.size());
    if (absolute_ && !proxy_authorization_.empty())
      head += "Proxy-Authorization: " + proxy_authorization_ + "\r\n";
    head += "Connection: close\r\n\r\n";
    head += request_.body;
    MILLRACE_TRY(stream->Write(head));
    return ReadHttp1Response(std::make_shared<BufferedStream>(std::move(stream)), request_.method,
                             trace_);
  }

  class Http2Body final : public BodyReader {
   public:
    explicit Http2Body(std::shared_ptr<Http2Exchange> exchange) : exchange_(std::move(exchange)) {}
    Result<std::size_t> Read(char* buffer, std::size_t size) override {
      return exchange_->Read(buffer, size);
    }

   private:
    std::shared_ptr<Http2Exchange> exchange_;
  };

  Result<Response> OverHttp2(std::unique_ptr<Stream> stream) {
    auto exchange = std::make_shared<Http2Exchange>(std::move(stream));
    Http2Exchange::Fields fields = {{":method", request_.method},
                                    {":scheme", "https"},
                                    {":authority", Host()},
                                    {":path", request_.url.RequestTarget()}};
    for (const auto& [name, value] : request_.headers.list()) {
      const std::string lower = ToLower(name);
      if (lower != "connection" && lower != "host" && lower != "transfer-encoding")
        fields.emplace_back(lower, value);
    }
    if (!request_.body.empty())
      fields.emplace_back("content-length", std::to_string(request_.body.size()));
    MILLRACE_TRY(exchange->Send(fields, request_.body));
    auto head = exchange->WaitHead();
    trace_.response_start = exchange->first_byte();
    if (!head) return tl::make_unexpected(std::move(head).error());
    Response r;
    r.status = exchange->status();
    r.protocol = "HTTP/2.0";
    r.headers = exchange->headers();
    const auto lengths = r.headers.All("content-length");
    r.content_length = -1;
    if (lengths.size() == 1)
      r.content_length = ParseNumber<std::int64_t>(lengths[0]).value_or(-1);
    else if (lengths.empty() && exchange->ended() && request_.method != "HEAD")
      r.content_length = 0;
    r.body = std::make_unique<Http2Body>(exchange);
    r.connection = std::move(exchange);
    return r;
  }

  const Request& request_;
  const TransportOptions& options_;
  Trace& trace_;
  TlsInfo& info_;
  std::string proxy_authorization_;
  bool absolute_ = false;  // the request line names the whole URL: a plain proxy
};

}  // namespace

Result<Response> RoundTrip(const Request& request, const TransportOptions& options, Trace& trace,
                           TlsInfo& info) {
  return Connector(request, options, trace, info).Run();
}

}  // namespace millrace::uptime_probe::web
