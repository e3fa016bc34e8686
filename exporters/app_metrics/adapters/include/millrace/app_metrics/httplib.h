#pragma once
// Adapter for cpp-httplib (0.11 and later).
//   httplib::Server server;
//   millrace::AppMetrics metrics{{.service = "orders", .version = "1.4.0"}};
//   metrics.attach(server);
//
// Where the route of a request comes from, first match:
//   1. Request::SetRoute in the handler, or a handler registered through RoutedServer below;
//   2. Options::routes;
//   3. the pattern that cpp-httplib tells (versions with Request::matched_route);
//   4. the path with what the pattern captured replaced: "/users/(\d+)" gives "/users/{1}", and
//      segments that look like ids as "{id}". A pattern with a wildcard outside of a group
//      ("/hello/.*") can't be told from a literal one here: use 1 or 2 for it. Options::max_routes
//      bounds the series in any case.
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <httplib.h>

#include "millrace/app_metrics/app_metrics.h"

namespace millrace::app_metrics {

/// cpp-httplib has one slot for each hook, and attach() takes all four: what the program wants to
/// do there goes in here.
struct HttplibHooks {
  httplib::Server::HandlerWithResponse pre_routing{};
  httplib::Server::Handler post_routing{};
  httplib::Logger logger{};
  /// Unset: the client gets a bare 500, without what() of the exception.
  httplib::Server::ExceptionHandler exception_handler{};
  /// Who asks, for log lines and error reports; "" = nobody known.
  std::function<std::string(const httplib::Request&, const httplib::Response&)> user_id{};
  /// The server speaks TLS (httplib::SSLServer).
  bool https = false;
};

namespace internal {

// cpp-httplib serves a request on one thread from its first hook to its last.
struct HttplibSlot {
  std::optional<Request> request;
};
inline HttplibSlot& ThisThreadsSlot() {
  thread_local HttplibSlot slot;
  return slot;
}

inline std::string_view HttplibHeader(const httplib::Request& req, const std::string& name) {
  const auto at = req.headers.find(name);
  return at == req.headers.end() ? std::string_view() : std::string_view(at->second);
}

inline std::uint64_t HttplibBodyIn(const httplib::Request& req) {
  if (!req.body.empty()) return req.body.size();
  const auto at = req.headers.find("Content-Length");  // bodies that the handler streamed
  return at == req.headers.end() ? 0 : std::strtoull(at->second.c_str(), nullptr, 10);
}

inline std::uint64_t HttplibBodyOut(const httplib::Request& req, const httplib::Response& res) {
  if (req.method == "HEAD") return 0;
  if (!res.body.empty()) return res.body.size();
  const auto at = res.headers.find("Content-Length");
  return at == res.headers.end() ? 0 : std::strtoull(at->second.c_str(), nullptr, 10);
}

/// `path` with capture groups and ids replaced, in `out` (200 bytes).
[[nodiscard]] std::string_view TemplateFromCaptures(
    std::string_view path, const std::pair<std::size_t, std::size_t>* groups, std::size_t count,
    char* out);

/// The pattern that matched, where this version of cpp-httplib tells it.
template <class AnyRequest>
std::string_view MatchedRoute(const AnyRequest& req) {
  if constexpr (requires { req.matched_route; })
    return req.matched_route;
  else
    return {};
}

inline void SetHttplibRoute(Request& r, const httplib::Request& req, const httplib::Response& res) {
  if (!r.route().empty()) return;
  if (const std::string_view told = MatchedRoute(req); !told.empty()) return r.SetRoute(told);
  if (req.matches.empty()) {
    // No handler matched: a file of a mount point, or nothing.
    if (res.status < 400) r.SetRoute("static");
    return;
  }
  constexpr std::size_t kMaxGroups = 8;
  std::pair<std::size_t, std::size_t> groups[kMaxGroups];
  std::size_t n = 0;
  const auto begin = req.matches[0].first;
  for (std::size_t i = 1; i < req.matches.size() && n < kMaxGroups; ++i) {
    if (!req.matches[i].matched) continue;
    groups[n++] = {static_cast<std::size_t>(req.matches[i].first - begin),
                   static_cast<std::size_t>(req.matches[i].second - begin)};
  }
  char text[200];
  r.SetRoute(TemplateFromCaptures(req.path, groups, n, text));
}

struct HttplibAttachment {
  AppMetrics& metrics;
  HttplibHooks hooks;

  void Begin(const httplib::Request& req) const {
    HttplibSlot& slot = ThisThreadsSlot();
    slot.request.reset();  // one whose response could not be written ends as aborted
    RequestHead head;
    head.method = req.method;
    head.target = req.target.empty() ? req.path : req.target;
    head.peer = req.remote_addr;
    head.request_id = HttplibHeader(req, "X-Request-ID");
    head.traceparent = HttplibHeader(req, "traceparent");
    head.forwarded_for = HttplibHeader(req, "X-Forwarded-For");
    head.https = hooks.https;
    slot.request.emplace(metrics, head);
  }

  httplib::Server::HandlerResponse PreRouting(const httplib::Request& req,
                                              httplib::Response& res) const {
    Begin(req);
    return hooks.pre_routing ? hooks.pre_routing(req, res)
                             : httplib::Server::HandlerResponse::Unhandled;
  }

  void PostRouting(const httplib::Request& req, httplib::Response& res) const {
    const HttplibSlot& slot = ThisThreadsSlot();
    if (slot.request) {
      const Context& c = slot.request->context();
      res.set_header("X-Request-ID", std::string(c.request_id()));
      res.set_header("traceparent", std::string(c.traceparent()));
    }
    if (hooks.post_routing) hooks.post_routing(req, res);
  }

  void Logger(const httplib::Request& req, const httplib::Response& res) const {
    HttplibSlot& slot = ThisThreadsSlot();
    if (!slot.request) Begin(req);  // refused before routing: not HTTP, or too long
    if (!slot.request->finished()) {
      SetHttplibRouteIfUndeclared(*slot.request, req, res);
      if (hooks.user_id) slot.request->SetUser(hooks.user_id(req, res));
      slot.request->Finish(res.status, HttplibBodyIn(req), HttplibBodyOut(req, res));
    }
    slot.request.reset();
    if (hooks.logger) hooks.logger(req, res);
  }

  void SetHttplibRouteIfUndeclared(Request& r, const httplib::Request& req,
                                   const httplib::Response& res) const {
    // Declared routes are matched by Finish when nobody named one.
    if (metrics.options().routes.empty()) SetHttplibRoute(r, req, res);
  }

  void Exception(const httplib::Request& req, httplib::Response& res,
                 std::exception_ptr exception) const {
    Request* r = ThisThreadsSlot().request ? &*ThisThreadsSlot().request : nullptr;
    if (r != nullptr) {
      try {
        std::rethrow_exception(exception);
      } catch (const std::exception& e) {
        r->SetError(e.what());
      } catch (...) {
        r->SetError("unknown exception");
      }
      SetHttplibRouteIfUndeclared(*r, req, res);
    }
    metrics.report_exception(exception, r);
    res.status = 500;
    if (hooks.exception_handler) hooks.exception_handler(req, res, exception);
  }
};

inline void AnswerHealth(const HealthReport& report, httplib::Response& res) {
  res.status = report.http_status;
  res.set_header("Cache-Control", "no-store");
  res.set_content(report.body, "application/json");
}

}  // namespace internal

/// An httplib::Server that remembers the pattern of each handler as its route, exactly, wildcards
/// and all: use it in place of httplib::Server (or of SSLServer as `Base`).
template <class Base>
class RoutedServerOf : public Base {
 public:
  using Base::Base;
  using Handler = httplib::Server::Handler;
  using StreamHandler = httplib::Server::HandlerWithContentReader;

  httplib::Server& Get(const std::string& p, Handler h) { return Base::Get(p, Named(p, h)); }
  httplib::Server& Post(const std::string& p, Handler h) { return Base::Post(p, Named(p, h)); }
  httplib::Server& Post(const std::string& p, StreamHandler h) {
    return Base::Post(p, NamedS(p, h));
  }
  httplib::Server& Put(const std::string& p, Handler h) { return Base::Put(p, Named(p, h)); }
  httplib::Server& Put(const std::string& p, StreamHandler h) { return Base::Put(p, NamedS(p, h)); }
  httplib::Server& Patch(const std::string& p, Handler h) { return Base::Patch(p, Named(p, h)); }
  httplib::Server& Patch(const std::string& p, StreamHandler h) {
    return Base::Patch(p, NamedS(p, h));
  }
  httplib::Server& Delete(const std::string& p, Handler h) { return Base::Delete(p, Named(p, h)); }
  httplib::Server& Options(const std::string& p, Handler h) {
    return Base::Options(p, Named(p, h));
  }

 private:
  static void SetRoute(const std::string& pattern) {
    Request* r = Request::Current();
    if (r != nullptr && r->route().empty()) r->SetRoute(pattern);
  }
  static Handler Named(const std::string& pattern, Handler handler) {
    return
        [pattern, handler = std::move(handler)](const httplib::Request& q, httplib::Response& s) {
          SetRoute(pattern);
          handler(q, s);
        };
  }
  static StreamHandler NamedS(const std::string& pattern, StreamHandler handler) {
    return [pattern, handler = std::move(handler)](const httplib::Request& q, httplib::Response& s,
                                                   const httplib::ContentReader& reader) {
      SetRoute(pattern);
      handler(q, s, reader);
    };
  }
};
using RoutedServer = RoutedServerOf<httplib::Server>;

}  // namespace millrace::app_metrics

namespace millrace {

/// What AppMetrics::attach calls (found by argument-dependent lookup). Also serves the metrics page
/// and /health, /health/live, /health/ready, unless Options says "" for their paths.
inline void AttachTo(AppMetrics& metrics, httplib::Server& server,
                     app_metrics::HttplibHooks hooks = {}) {
  auto a = std::make_shared<const app_metrics::internal::HttplibAttachment>(
      app_metrics::internal::HttplibAttachment{metrics, std::move(hooks)});
  server.set_pre_routing_handler(
      [a](const httplib::Request& q, httplib::Response& s) { return a->PreRouting(q, s); });
  server.set_post_routing_handler(
      [a](const httplib::Request& q, httplib::Response& s) { a->PostRouting(q, s); });
  server.set_logger(
      [a](const httplib::Request& q, const httplib::Response& s) { a->Logger(q, s); });
  server.set_exception_handler([a](const httplib::Request& q, httplib::Response& s,
                                   std::exception_ptr e) { a->Exception(q, s, std::move(e)); });
  const auto named = [](const std::string& route) {
    if (auto* r = app_metrics::Request::Current()) r->SetRoute(route);
  };
  if (const std::string path = metrics.options().metrics_path; !path.empty()) {
    server.Get(path, [&metrics, named, path](const httplib::Request& req, httplib::Response& res) {
      named(path);
      const app_metrics::MetricsPage page = metrics.page(req.get_header_value("Accept"));
      res.set_content(page.body->data(), page.body->size(), std::string(page.content_type));
    });
  }
  if (const std::string path = metrics.options().health_path; !path.empty()) {
    const auto serve = [&](const std::string& at, auto report) {
      server.Get(at, [report, named, at](const httplib::Request&, httplib::Response& res) {
        named(at);
        app_metrics::internal::AnswerHealth(report(), res);
      });
    };
    serve(path, [&metrics] { return metrics.health(); });
    serve(path + "/live", [&metrics] { return metrics.live(); });
    serve(path + "/ready", [&metrics] { return metrics.ready(); });
  }
}

}  // namespace millrace
