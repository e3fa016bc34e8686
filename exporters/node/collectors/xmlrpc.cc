#include "exporters/node/collectors/xmlrpc.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "common/base/fd.h"
#include "common/base/strings.h"

namespace millrace::node {
namespace {

constexpr std::size_t kMaxAnswer = std::size_t{4} << 20;

/// Text between <tag> and </tag> from `at` on; moves `at` behind it. False when there is none.
bool Element(std::string_view xml, std::string_view tag, std::size_t& at, std::string_view& text) {
  const std::string open = "<" + std::string(tag) + ">", close = "</" + std::string(tag) + ">";
  const auto begin = xml.find(open, at);
  if (begin == std::string_view::npos) return false;
  const auto end = xml.find(close, begin);
  if (end == std::string_view::npos) return false;
  text = xml.substr(begin + open.size(), end - begin - open.size());
  at = end + close.size();
  return true;
}

std::string Unescape(std::string_view text) {
  static constexpr std::pair<std::string_view, char> kEntities[] = {
      {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
  std::string out;
  while (!text.empty()) {
    std::size_t used = 1;
    char c = text[0];
    for (const auto& [entity, plain] : kEntities)
      if (text.starts_with(entity)) {
        c = plain;
        used = entity.size();
      }
    out += c;
    text.remove_prefix(used);
  }
  return out;
}

/// "<int>5</int>" or "text" -> the text inside.
std::string Value(std::string_view value) {
  value = Trim(value);
  if (value.starts_with('<') && value.find('>') != std::string_view::npos) {
    value.remove_prefix(value.find('>') + 1);
    value = value.substr(0, value.rfind('<'));
  }
  return Unescape(value);
}

struct Target {
  std::string host, port, path = "/RPC2", authorization;
  bool unix_socket = false;
};

Result<Target> ParseUrl(std::string_view url) {
  Target t;
  if (url.starts_with("unix://")) {
    t.unix_socket = true;
    t.host = url.substr(7);
    return t;
  }
  if (!url.starts_with("http://"))
    return Fail(ErrorCode::kInvalidArgument,
                "supervisord URL " + std::string(url) + ": write http://... or unix://...");
  url.remove_prefix(7);
  if (const auto slash = url.find('/'); slash != std::string_view::npos) {
    t.path = url.substr(slash);
    url = url.substr(0, slash);
  }
  if (const auto at = url.rfind('@'); at != std::string_view::npos) {
    t.authorization = "Authorization: Basic " + Base64Encode(url.substr(0, at)) + "\r\n";
    url.remove_prefix(at + 1);
  }
  t.port = "80";
  if (const auto colon = url.rfind(':');
      colon != std::string_view::npos && !url.substr(colon).ends_with(']')) {
    t.port = url.substr(colon + 1);
    url = url.substr(0, colon);
  }
  if (url.starts_with('[') && url.ends_with(']')) url = url.substr(1, url.size() - 2);
  t.host = url;
  return t;
}

/// Sending and receiving on `fd` wait at most five seconds each.
Status Limit(const Fd& fd) {
  const timeval limit{5, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return {};
}

Result<Fd> Connect(const Target& t) {
  if (t.unix_socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (t.host.size() >= sizeof address.sun_path)
      return Fail(ErrorCode::kInvalidArgument, "path too long: " + t.host);
    t.host.copy(address.sun_path, sizeof address.sun_path - 1);
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    MILLRACE_TRY(Limit(fd));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return FailErrno("connect " + t.host, errno);
    return fd;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int rc = getaddrinfo(t.host.c_str(), t.port.c_str(), &hints, &found);
  if (rc != 0) return Fail(ErrorCode::kUnavailable, t.host + ": " + gai_strerror(rc));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  int error = ENOENT;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    Fd fd(::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    MILLRACE_TRY(Limit(fd));
    if (::connect(fd.get(), a->ai_addr, a->ai_addrlen) == 0) return fd;
    error = errno;
  }
  return FailErrno("connect " + t.host + ":" + t.port, error);
}

}  // namespace

Result<std::vector<XmlRpcStruct>> ParseXmlRpcStructs(std::string_view xml) {
  if (xml.find("<methodResponse>") == std::string_view::npos)
    return Fail(ErrorCode::kParse, "not an XML-RPC answer: " + Printable(xml, 60));
  if (xml.find("<fault>") != std::string_view::npos)
    return Fail(ErrorCode::kUnavailable, "XML-RPC fault: " + Printable(xml, 200));
  std::vector<XmlRpcStruct> structs;
  std::string_view body, member, name, value;
  for (std::size_t at = 0; Element(xml, "struct", at, body);) {
    auto& s = structs.emplace_back();
    for (std::size_t inner = 0; Element(body, "member", inner, member);) {
      std::size_t part = 0;
      if (Element(member, "name", part, name) && Element(member, "value", part, value))
        s[Unescape(name)] = Value(value);
    }
  }
  return structs;
}

Result<std::string> CallXmlRpc(const std::string& url, std::string_view method) {
  MILLRACE_ASSIGN(const Target target, ParseUrl(url));
  MILLRACE_ASSIGN(const Fd fd, Connect(target));
  const std::string body = "<?xml version=\"1.0\"?><methodCall><methodName>" + std::string(method) +
                           "</methodName><params/></methodCall>";
  // HTTP/1.0: the answer is not chunked and ends with the connection.
  const std::string request =
      "POST " + target.path + " HTTP/1.0\r\nHost: " + (target.unix_socket ? "unix" : target.host) +
      "\r\n" + target.authorization +
      "Content-Type: text/xml\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
      body;
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return FailErrno("send to " + url, errno);
  std::string answer;
  char part[16384];
  for (;;) {
    const ssize_t n = ::recv(fd.get(), part, sizeof part, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("read from supervisord", errno == EAGAIN ? ETIMEDOUT : errno);
    if (n == 0) break;
    answer.append(part, static_cast<std::size_t>(n));
    if (answer.size() > kMaxAnswer)
      return Fail(ErrorCode::kResourceExhausted, "answer of supervisord is too large");
    // A server that keeps the connection open nevertheless.
    if (answer.ends_with("</methodResponse>") || answer.ends_with("</methodResponse>\n")) break;
  }
  const auto head = answer.find("\r\n\r\n");
  const std::string_view status = std::string_view(answer).substr(0, answer.find('\r'));
  if (head == std::string::npos || status.find(" 200") == std::string_view::npos)
    return Fail(ErrorCode::kUnavailable, "supervisord answered " + Printable(status, 80));
  return answer.substr(head + 4);
}

}  // namespace millrace::node
