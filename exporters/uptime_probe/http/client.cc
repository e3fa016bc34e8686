#include "exporters/uptime_probe/http/client.h"

#include "common/base/strings.h"

namespace millrace::uptime_probe::web {
namespace {

constexpr int kMostRedirects = 10;

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

class Client {
 public:
  Client(Request request, const ClientOptions& options, ProbeLog& log)
      : first_(std::move(request)), options_(options), log_(log) {}

  ClientResult Run() {
    ClientResult out;
    Request request = first_;
    for (;;) {
      out.traces.emplace_back();
      out.tls = {};
      TransportOptions transport = options_.transport;
      // The configured or original name is right for the first host only.
      if (request.url.host != first_.url.host) transport.server_name.clear();
      if (auto ready = AddCredentials(request); !ready) {
        out.traces.back().reason = "auth";
        out.response = tl::make_unexpected(std::move(ready).error());
        return out;
      }
      log_.Debug("Making HTTP request", {{"url", request.url.Redacted()}, {"host", request.host}});
      out.response = RoundTrip(Prepared(request), transport, out.traces.back(), out.tls);
      if (!out.response) return out;
      jar_.Store(CookieUrl(request), out.response->headers);
      const std::string_view location = out.response->headers.Get("Location");
      if (!IsRedirect(out.response->status) || location.empty()) return out;
      auto target = Url::Parse(location);
      if (!target) {
        out.traces.back().reason = "redirect";
        out.response = tl::make_unexpected(
            std::move(target).error().Within("failed to parse Location header"));
        return out;
      }
      ++out.redirects;
      log_.Warn("Received redirect", {{"location", location}});
      if (out.redirects > kMostRedirects || !options_.config->follow_redirects) {
        log_.Warn("Not following redirect");
        out.refused_redirect = true;
        return out;
      }
      request = Next(request, *target, out.response->status);
      if (request.url.scheme != "http" && request.url.scheme != "https") {
        out.traces.emplace_back().reason = "redirect";
        out.response = Fail(ErrorCode::kInvalidArgument,
                            "unsupported protocol scheme \"" + request.url.scheme + "\"");
        return out;
      }
    }
  }

 private:
  /// Cookies belong to the name, not to the address that was put in its place.
  [[nodiscard]] static Url CookieUrl(const Request& request) {
    Url url = request.url;
    if (!request.host.empty()) url.host = request.host;
    return url;
  }

  /// Credentials go to the first host only; the original sends them wherever it is redirected.
  Status AddCredentials(Request& request) {
    if (request.url.host != first_.url.host || request.headers.Has("Authorization")) return {};
    if (request.url.userinfo) {
      request.headers.Set("Authorization",
                          "Basic " + Base64Encode(PercentDecode(*request.url.userinfo)));
      return {};
    }
    if (!authorization_made_) {
      MILLRACE_ASSIGN(authorization_, MakeAuthorization(*options_.config, options_.transport));
      authorization_made_ = true;
    }
    if (!authorization_.empty()) request.headers.Set("Authorization", authorization_);
    return {};
  }

  [[nodiscard]] Request Prepared(const Request& request) const {
    Request prepared = request;
    const std::string cookies = jar_.For(CookieUrl(request));
    if (!cookies.empty()) {
      std::string all(prepared.headers.Get("Cookie"));
      all += (all.empty() ? "" : "; ") + cookies;
      prepared.headers.Set("Cookie", all);
    }
    return prepared;
  }

  /// The request that a redirect asks for (RFC 9110 15.4).
  [[nodiscard]] Request Next(const Request& last, const Url& target, int status) const {
    Request next = last;
    next.url = last.url.Resolve(target);
    next.url.fragment.clear();
    // A relative redirect stays with the host that was asked under its name.
    if (!target.scheme.empty() || !target.host.empty()) next.host.clear();
    if (status != 307 && status != 308) {
      if (last.method != "GET" && last.method != "HEAD") next.method = "GET";
      next.body.clear();
      next.headers.Remove("Content-Type");
      next.headers.Remove("Content-Length");
    }
    if (next.url.host != last.url.host) {
      for (const char* name : {"Authorization", "Www-Authenticate", "Cookie", "Cookie2"})
        next.headers.Remove(name);
      for (const auto& [name, values] : options_.config->http_headers)
        if (!values.secrets.empty() || !values.files.empty()) next.headers.Remove(name);
    }
    if (!(last.url.IsTls() && !next.url.IsTls())) {
      Url referer = last.url;
      referer.userinfo.reset();
      next.headers.Set("Referer", referer.Text());
    } else {
      next.headers.Remove("Referer");
    }
    return next;
  }

  Request first_;
  const ClientOptions& options_;
  ProbeLog& log_;
  CookieJar jar_;
  std::string authorization_;
  bool authorization_made_ = false;
};

}  // namespace

ClientResult Fetch(Request request, const ClientOptions& options, ProbeLog& log) {
  return Client(std::move(request), options, log).Run();
}

}  // namespace millrace::uptime_probe::web
