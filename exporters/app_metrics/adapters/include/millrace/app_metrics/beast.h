#pragma once
// Adapter for Boost.Beast, whose servers are loops of the program's own: one object a request,
// around the call that answers it.
//   BeastRequest measured(metrics, request, remote_ip);
//   if (auto own = AnswerOwn(metrics, request)) return send(*own);      // /metrics, /health...
//   measured.route("/users/:id");
//   response = handle(request);
//   measured.decorate(response);            // X-Request-ID, traceparent
//   write(stream, response);
//   measured.finish(response);
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/http.hpp>

#include "millrace/app_metrics/app_metrics.h"

namespace millrace::app_metrics {

using BeastAnswer = boost::beast::http::response<boost::beast::http::string_body>;

/// Not bound to the thread: one Beast thread serves requests in turns. Put a ContextScope around
/// code that asks for Context::Current().
class BeastRequest {
 public:
  template <class Body, class Fields>
  BeastRequest(AppMetrics& metrics, const boost::beast::http::request<Body, Fields>& req,
               std::string_view peer)
      : request_(metrics, Head(req, peer)), bytes_in_(req.payload_size().value_or(0)) {}

  [[nodiscard]] Request& request() { return request_; }
  void route(std::string_view route) { request_.SetRoute(route); }

  template <class Body, class Fields>
  void decorate(boost::beast::http::response<Body, Fields>& res) const {
    res.set("X-Request-ID", View(request_.context().request_id()));
    res.set("traceparent", View(request_.context().traceparent()));
  }
  template <class Body, class Fields>
  void finish(const boost::beast::http::response<Body, Fields>& res) {
    request_.Finish(static_cast<int>(res.result_int()), bytes_in_, res.payload_size().value_or(0));
  }

 private:
  static boost::beast::string_view View(std::string_view s) { return {s.data(), s.size()}; }
  static std::string_view Std(boost::beast::string_view s) { return {s.data(), s.size()}; }

  template <class Req>
  static RequestHead Head(const Req& req, std::string_view peer) {
    RequestHead head;
    head.method = Std(req.method_string());
    head.target = Std(req.target());
    head.peer = peer;
    head.request_id = Std(req["X-Request-ID"]);
    head.traceparent = Std(req["traceparent"]);
    head.forwarded_for = Std(req["X-Forwarded-For"]);
    head.bind_to_thread = false;
    return head;
  }

  Request request_;
  std::uint64_t bytes_in_;
};

/// The answer to a GET of the metrics page or of /health and below; nullopt for everything else.
template <class Body, class Fields>
std::optional<BeastAnswer> AnswerOwn(AppMetrics& metrics,
                                     const boost::beast::http::request<Body, Fields>& req) {
  namespace http = boost::beast::http;
  if (req.method() != http::verb::get) return std::nullopt;
  const std::string target(req.target().data(), req.target().size());
  const std::string path = target.substr(0, target.find('?'));
  const std::string& page_path = metrics.options().metrics_path;
  const std::string& health = metrics.options().health_path;
  BeastAnswer res(http::status::ok, req.version());
  if (!page_path.empty() && path == page_path) {
    const auto accept = req[http::field::accept];
    const MetricsPage page = metrics.page({accept.data(), accept.size()});
    res.set(http::field::content_type,
            boost::beast::string_view(page.content_type.data(), page.content_type.size()));
    res.body() = *page.body;
  } else if (!health.empty() &&
             (path == health || path == health + "/live" || path == health + "/ready")) {
    const HealthReport report = path == health             ? metrics.health()
                                : path == health + "/live" ? metrics.live()
                                                           : metrics.ready();
    res.result(static_cast<unsigned>(report.http_status));
    res.set(http::field::content_type, "application/json");
    res.body() = report.body;
  } else {
    return std::nullopt;
  }
  res.prepare_payload();
  return res;
}

}  // namespace millrace::app_metrics
