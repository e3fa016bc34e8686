#include "common/http/landing_page.h"

namespace millrace::http {

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string RenderLandingPage(const LandingPage& page) {
  const std::string name = EscapeHtml(page.name);
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"UTF-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      name +
      "</title>\n<style>body{font-family:system-ui,sans-serif;margin:0}"
      "header{background:#24414f;color:#fff;padding:.5em 1em}main{padding:0 1em}"
      "h1{font-size:1.4em}</style>\n</head>\n<body>\n<header><h1>" +
      name + "</h1></header>\n<main>\n";
  if (!page.description.empty()) html += "<h2>" + EscapeHtml(page.description) + "</h2>\n";
  if (!page.version.empty()) html += "<div>Version: " + EscapeHtml(page.version) + "</div>\n";
  html += "<ul>\n";
  for (const LandingLink& link : page.links) {
    html += "<li><a href=\"" + EscapeHtml(link.address) + "\">" + EscapeHtml(link.text) + "</a>";
    if (!link.description.empty()) html += ": " + EscapeHtml(link.description);
    html += "</li>\n";
  }
  return html + "</ul>\n</main>\n</body>\n</html>\n";
}

void AddLandingPage(Routes& routes, const LandingPage& page) {
  routes.Exact("/", [html = RenderLandingPage(page)](const Request&, Response& r) {
    r.SetContentType("text/html; charset=UTF-8");
    r.body += html;
  });
}

}  // namespace millrace::http
