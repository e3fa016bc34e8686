// Request, Response and Routes: everything of a request that needs no socket.
#include <algorithm>

#include "common/base/strings.h"
#include "common/http/landing_page.h"
#include "common/http/server.h"

namespace millrace::http {

std::string_view Request::Header(std::string_view name) const {
  if (fields == nullptr) return {};
  for (const HeaderField& f : *fields)
    if (EqualsIgnoreCase(f.name, name)) return f.value;
  return {};
}

void Request::EachQuery(const std::function<void(std::string_view, std::string_view)>& f) const {
  std::string key, value;
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view raw = pair.substr(std::min(equals + 1, pair.size()));
    if (PercentDecode(pair.substr(0, equals), true, key) && PercentDecode(raw, true, value))
      f(key, value);
  }
}

std::string Request::Query(std::string_view key, std::string_view fallback) const {
  std::string found(fallback);
  bool seen = false;
  EachQuery([&](std::string_view k, std::string_view v) {
    if (k != key || seen) return;
    seen = true;
    found.assign(v);
  });
  return found;
}

void Response::SetHeader(std::string_view name, std::string_view value) {
  for (std::size_t at = 0; at < lines_.size();) {
    const std::size_t end = lines_.find('\n', at) + 1;
    const std::size_t colon = lines_.find(':', at);
    if (EqualsIgnoreCase(std::string_view(lines_).substr(at, colon - at), name)) {
      lines_.erase(at, end - at);
      break;
    }
    at = end;
  }
  lines_.append(name).append(": ");
  for (const char c : value) lines_ += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  lines_ += "\r\n";
}

void Response::Error(int code, std::string_view text) {
  status = code;
  view = {};
  body.assign(text);
  body += '\n';
  SetContentType("text/plain; charset=utf-8");
  SetHeader("X-Content-Type-Options", "nosniff");
}

void Response::Redirect(int code, std::string_view location) {
  status = code;
  view = {};
  body = "<a href=\"" + EscapeHtml(location) + "\">" + std::string(StatusText(code)) + "</a>.\n\n";
  SetContentType("text/html; charset=utf-8");
  SetHeader("Location", location);
}

void Response::Reset() {
  status = 200;
  body.clear();
  view = {};
  hold.reset();
  lines_.clear();
}

std::string_view StatusText(int status) {
  static constexpr std::pair<int, std::string_view> kTexts[] = {
      {200, "OK"},
      {202, "Accepted"},
      {204, "No Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {413, "Request Entity Too Large"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Entity"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"}};
  for (const auto& [code, text] : kTexts)
    if (code == status) return text;
  return {};
}

Routes& Routes::Exact(std::string path, Handler handler) {
  routes_.push_back({std::move(path), false, std::move(handler)});
  return *this;
}

Routes& Routes::Prefix(std::string prefix, Handler handler) {
  routes_.push_back({std::move(prefix), true, std::move(handler)});
  return *this;
}

void Routes::Serve(const Request& request, Response& response) const {
  const Route* best = nullptr;
  for (const Route& route : routes_) {
    if (!route.prefix) {
      if (route.path != request.path) continue;
      best = &route;
      break;
    }
    if (request.path.starts_with(route.path) &&
        (best == nullptr || route.path.size() > best->path.size()))
      best = &route;
  }
  if (request.method != "CONNECT" && request.path.starts_with('/')) {
    if (std::string clean = CleanPath(request.path); clean != request.path) {
      if (!request.query.empty()) (clean += '?') += request.query;
      return response.Redirect(307, clean);
    }
  }
  if (best == nullptr) return response.Error(404, "404 page not found");
  best->handler(request, response);
}

void AddHealthRoutes(Routes& routes, std::function<std::string()> ready) {
  const auto ok = [](Response& r) {
    r.SetContentType("text/plain; charset=utf-8");
    r.body += "OK\n";
  };
  routes.Exact("/-/healthy", [ok](const Request&, Response& r) { ok(r); });
  routes.Exact("/-/ready", [ok, ready = std::move(ready)](const Request&, Response& r) {
    if (const std::string why = ready ? ready() : std::string(); !why.empty())
      return r.Error(503, why);
    ok(r);
  });
}

}  // namespace millrace::http
