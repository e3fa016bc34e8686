#include "exporters/uptime_probe/http/url.h"

#include <cctype>
#include <vector>

#include <fmt/format.h>

#include "common/base/strings.h"

namespace millrace::uptime_probe::web {
namespace {

tl::unexpected<Error> FailUrl(std::string_view url, std::string_view why) {
  return Fail(ErrorCode::kParse, fmt::format("parse \"{}\": {}", Printable(url), why));
}

bool IsHex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

bool BadEscape(std::string_view s) {
  for (std::size_t i = 0; i < s.size(); ++i)
    if (s[i] == '%' && (i + 2 >= s.size() || !IsHex(s[i + 1]) || !IsHex(s[i + 2]))) return true;
  return false;
}

/// Escapes what may not stand in a path or query; escapes that are there stay.
std::string Escape(std::string_view s) {
  static constexpr std::string_view kSafe = "-._~!$&'()*+,;=:@/?%[]";
  std::string out;
  out.reserve(s.size());
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0 || kSafe.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", u);
  }
  return out;
}

Status CheckHost(std::string_view url, std::string_view host) {
  std::string_view port;
  if (host.starts_with('[')) {
    const auto end = host.rfind(']');
    if (end == std::string_view::npos) return FailUrl(url, "missing ']' in host");
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
  } else if (const auto colon = host.rfind(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (!port.empty() &&
      (port[0] != ':' || port.find_first_not_of("0123456789", 1) != std::string_view::npos))
    return FailUrl(url, fmt::format("invalid port \"{}\" after host", port));
  if (host.find_first_of(" \"<>\\^`{|}%#?/") != std::string_view::npos &&
      host.find("%25") == std::string_view::npos)
    return FailUrl(url, "invalid character in host name");
  return {};
}

/// RFC 3986 5.2.4
std::string RemoveDots(std::string_view path) {
  if (path.find('.') == std::string_view::npos) return std::string(path);
  std::vector<std::string_view> out;
  const auto parts = Split(path, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    if (parts[i] == ".") {
      if (last) out.emplace_back("");
    } else if (parts[i] == "..") {
      if (out.size() > 1) out.pop_back();
      if (last) out.emplace_back("");
    } else {
      out.push_back(parts[i]);
    }
  }
  std::string joined;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i > 0) joined += '/';
    joined += out[i];
  }
  if (path.starts_with('/') && !joined.starts_with('/')) joined.insert(0, "/");
  return joined;
}

}  // namespace

Result<Url> Url::Parse(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return FailUrl(text, "invalid control character in URL");
  Url url;
  std::string_view rest = text;
  if (const auto hash = rest.find('#'); hash != std::string_view::npos) {
    url.fragment = std::string(rest.substr(hash + 1));
    rest = rest.substr(0, hash);
  }
  if (rest.starts_with(':')) return FailUrl(text, "missing protocol scheme");
  const auto colon = rest.find(':');
  if (colon != std::string_view::npos && std::isalpha(static_cast<unsigned char>(rest[0])) != 0) {
    bool scheme = true;
    for (const char c : rest.substr(0, colon))
      scheme = scheme && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' ||
                          c == '-' || c == '.');
    if (scheme) {
      url.scheme = ToLower(rest.substr(0, colon));
      rest.remove_prefix(colon + 1);
    }
  }
  if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
    url.has_query = true;
    url.query = Escape(rest.substr(mark + 1));
    rest = rest.substr(0, mark);
  }
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    const auto slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
      url.userinfo = std::string(authority.substr(0, at));
      authority.remove_prefix(at + 1);
    }
    MILLRACE_TRY(CheckHost(text, authority));
    url.host = std::string(authority);
  } else if (url.scheme.empty()) {
    // "127.0.0.1:80/x" would be a path with a colon in its first segment.
    const std::string_view first = rest.substr(0, rest.find('/'));
    if (first.find(':') != std::string_view::npos)
      return FailUrl(text, "first path segment in URL cannot contain colon");
  }
  if (BadEscape(rest)) return FailUrl(text, "invalid URL escape");
  url.path = Escape(rest);
  return url;
}

Url Url::Resolve(const Url& reference) const {
  Url out = reference;
  if (!reference.scheme.empty()) {
    out.path = RemoveDots(reference.path);
    return out;
  }
  out.scheme = scheme;
  if (!reference.host.empty()) {
    out.path = RemoveDots(reference.path);
    return out;
  }
  out.host = host;
  out.userinfo = userinfo;
  if (reference.path.empty()) {
    out.path = path;
    if (!reference.has_query) {
      out.query = query;
      out.has_query = has_query;
    }
    return out;
  }
  if (reference.path.starts_with('/')) {
    out.path = RemoveDots(reference.path);
  } else {
    const auto slash = path.rfind('/');
    out.path =
        RemoveDots((slash == std::string::npos ? std::string("/") : path.substr(0, slash + 1)) +
                   reference.path);
  }
  return out;
}

std::string Url::Text() const {
  std::string out;
  if (!scheme.empty()) out += scheme + ":";
  if (!host.empty() || userinfo) {
    out += "//";
    if (userinfo) out += *userinfo + "@";
    out += host;
  }
  out += path;
  if (has_query) out += "?" + query;
  if (!fragment.empty()) out += "#" + fragment;
  return out;
}

std::string Url::Redacted() const {
  Url copy = *this;
  if (copy.userinfo)
    if (const auto colon = copy.userinfo->find(':'); colon != std::string::npos)
      copy.userinfo = copy.userinfo->substr(0, colon) + ":xxxxx";
  return copy.Text();
}

std::string Url::RequestTarget() const {
  std::string out = path.empty() ? "/" : path;
  if (!out.starts_with('/') && out != "*") out.insert(0, "/");
  if (has_query) out += "?" + query;
  return out;
}

std::string Url::HostName() const {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    std::string name = host.substr(1, end == std::string::npos ? end : end - 1);
    // RFC 6874: the percent sign of a zone is itself escaped.
    if (const auto zone = name.find("%25"); zone != std::string::npos) name.erase(zone + 1, 2);
    return name;
  }
  return host.substr(0, host.rfind(':'));
}

std::string Url::Port() const {
  const auto bracket = host.rfind(']');
  const auto colon = host.rfind(':');
  if (colon == std::string::npos || (bracket != std::string::npos && colon < bracket)) return {};
  return host.substr(colon + 1);
}

std::string Url::PortOrDefault() const {
  std::string port = Port();
  if (!port.empty()) return port;
  if (scheme == "https") return "443";
  if (scheme.starts_with("socks5")) return "1080";
  return "80";
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && IsHex(text[i + 1]) && IsHex(text[i + 2])) {
      out += static_cast<char>(*ParseNumber<unsigned>(text.substr(i + 1, 2), 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string FormEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0 || c == '-' || c == '_' || c == '.' || c == '~')
      out += c;
    else if (c == ' ')
      out += '+';
    else
      out += fmt::format("%{:02X}", u);
  }
  return out;
}

}  // namespace millrace::uptime_probe::web
