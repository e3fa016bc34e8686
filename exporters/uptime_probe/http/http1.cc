// Answers of HTTP/1 (RFC 9112), as strict and as lenient as Go's net/http.
#include <cctype>

#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/http/transport.h"

namespace millrace::uptime_probe::web {
namespace {

constexpr std::size_t kMaxHeadBytes = std::size_t{1} << 20;
constexpr int kMaxInformational = 5;

Status ParseStatusLine(std::string_view line, Response& r) {
  const auto space = line.find(' ');
  const std::string_view protocol = line.substr(0, space);
  const bool version = protocol.size() == 8 && protocol.starts_with("HTTP/") &&
                       std::isdigit(static_cast<unsigned char>(protocol[5])) != 0 &&
                       protocol[6] == '.' &&
                       std::isdigit(static_cast<unsigned char>(protocol[7])) != 0;
  if (space == std::string_view::npos || !version)
    return Fail(ErrorCode::kParse, fmt::format("malformed HTTP response \"{}\"", Printable(line)));
  r.protocol = std::string(protocol);
  std::string_view rest = line.substr(space);
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const std::string_view code = rest.substr(0, rest.find(' '));
  const auto number = ParseNumber<int>(code);
  if (code.size() != 3 || !number || *number < 0)
    return Fail(ErrorCode::kParse,
                fmt::format("malformed HTTP status code \"{}\"", Printable(code)));
  r.status = *number;
  return {};
}

/// The fields up to the empty line. A line that begins with a blank continues the one before
/// (obsolete, still sent).
Status ParseFields(BufferedStream& stream, Headers& headers, std::size_t& budget) {
  std::string field;
  const auto flush = [&]() -> Status {
    if (field.empty()) return {};
    const auto colon = field.find(':');
    const std::string_view name = std::string_view(field).substr(0, colon);
    if (colon == std::string::npos || !IsToken(name))
      return Fail(ErrorCode::kParse,
                  fmt::format("malformed header line \"{}\"", Printable(field, 80)));
    headers.Add(name, Trim(std::string_view(field).substr(colon + 1)));
    field.clear();
    return {};
  };
  for (;;) {
    auto line = stream.Line(budget);
    if (!line) {
      if (line.error().code == ErrorCode::kResourceExhausted)
        return Fail(ErrorCode::kResourceExhausted, "response head too long");
      if (line.error().code == ErrorCode::kNotFound)
        return Fail(ErrorCode::kUnavailable, "unexpected EOF");
      return tl::make_unexpected(std::move(line).error());
    }
    if (line->size() + 2 > budget)
      return Fail(ErrorCode::kResourceExhausted, "response head too long");
    budget -= line->size() + 2;
    if (!line->empty() && (line->front() == ' ' || line->front() == '\t')) {
      if (field.empty())
        return Fail(ErrorCode::kParse, "malformed header: initial line is indented");
      field += ' ';
      field += Trim(*line);
      continue;
    }
    MILLRACE_TRY(flush());
    if (line->empty()) return {};
    field = std::move(*line);
  }
}

Result<std::int64_t> ParseLength(std::string_view text) {
  const auto n = ParseNumber<std::uint64_t>(Trim(text));
  if (!n || *n > static_cast<std::uint64_t>(INT64_MAX))
    return Fail(ErrorCode::kParse, fmt::format("bad Content-Length \"{}\"", Printable(text, 40)));
  return static_cast<std::int64_t>(*n);
}

/// RFC 9112 6.3
Status SetUpBody(BufferedStream& stream, std::string_view method, Response& r) {
  const auto lengths = r.headers.All("Content-Length");
  for (const auto& other : lengths)
    if (Trim(other) != Trim(lengths[0]))
      return Fail(ErrorCode::kParse, "message cannot contain multiple Content-Length headers");
  bool chunked = false;
  if (r.protocol != "HTTP/1.0") {
    const auto encodings = r.headers.All("Transfer-Encoding");
    if (encodings.size() > 1 ||
        (encodings.size() == 1 && !EqualsIgnoreCase(Trim(encodings[0]), "chunked")))
      return Fail(ErrorCode::kParse, "unsupported transfer encoding");
    chunked = encodings.size() == 1;
  }
  if (method == "HEAD") {
    r.content_length = -1;
    if (!lengths.empty()) {
      MILLRACE_ASSIGN(r.content_length, ParseLength(lengths[0]));
    }
    r.body = MakeEmptyBody();
    return {};
  }
  if (r.status / 100 == 1 || r.status == 204 || r.status == 304) {
    r.content_length = 0;
    r.body = MakeEmptyBody();
    return {};
  }
  if (chunked) {
    r.content_length = -1;
    r.body = MakeChunkedBody(stream);
    return {};
  }
  if (!lengths.empty()) {
    MILLRACE_ASSIGN(r.content_length, ParseLength(lengths[0]));
    r.body = MakeSizedBody(stream, static_cast<std::uint64_t>(r.content_length));
    return {};
  }
  r.content_length = -1;
  r.body = MakeBodyToEnd(stream);
  return {};
}

}  // namespace

Result<Response> ReadHttp1Response(std::shared_ptr<BufferedStream> stream, std::string_view method,
                                   Trace& trace) {
  MILLRACE_TRY(stream->Peek());
  trace.response_start = Clock::now();
  std::size_t budget = kMaxHeadBytes;
  for (int informational = 0;; ++informational) {
    Response r;
    auto line = stream->Line(budget);
    if (!line) {
      if (line.error().code == ErrorCode::kNotFound)
        return Fail(ErrorCode::kUnavailable, "unexpected EOF");
      return tl::make_unexpected(std::move(line).error());
    }
    budget -= std::min(budget, line->size() + 2);
    MILLRACE_TRY(ParseStatusLine(*line, r));
    MILLRACE_TRY(ParseFields(*stream, r.headers, budget));
    if (r.status / 100 == 1 && r.status != 101) {
      if (informational == kMaxInformational)
        return Fail(ErrorCode::kParse, "too many 1xx informational responses");
      continue;
    }
    MILLRACE_TRY(SetUpBody(*stream, method, r));
    r.connection = std::move(stream);
    return r;
  }
}

}  // namespace millrace::uptime_probe::web
