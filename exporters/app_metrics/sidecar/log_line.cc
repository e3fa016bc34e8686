#include "exporters/app_metrics/sidecar/log_line.h"

#include <algorithm>
#include <array>

#include "agent/core/json_text.h"
#include "agent/decode/access_log.h"
#include "agent/decode/json.h"
#include "common/base/strings.h"

namespace millrace::app_metrics::sidecar {
namespace {

using agent::AccessFormat;
using agent::Value;

struct Format {
  std::string_view name;
  AccessFormat format;
};
constexpr std::array<Format, 4> kTextFormats = {{{"nginx_combined", AccessFormat::kNginxCombined},
                                                 {"nginx_main", AccessFormat::kNginxMain},
                                                 {"nginx_ingress", AccessFormat::kNginxIngress},
                                                 {"apache_combined", AccessFormat::kCombined}}};

template <class... Names>
bool Is(std::string_view name, Names... names) {
  return ((name == names) || ...);
}

// Integers, fractions, and numbers that stand in strings as nginx writes them.
double Number(const Value& v, std::string_view plain) {
  if (v.type == agent::Type::kInt) return static_cast<double>(v.i64);
  if (v.type == agent::Type::kDouble) return v.f64;
  return ParseNumber<double>(plain).value_or(-1);
}

std::uint64_t Bytes(double n) { return n > 0 && n < 1e18 ? static_cast<std::uint64_t>(n) : 0; }

void TakeSeconds(double seconds, FinishedRequest& out) {
  if (seconds >= 0 && seconds < 1e6)
    out.duration = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9 + 0.5));
}

}  // namespace

std::vector<std::string> LogLineReader::Formats() {
  std::vector<std::string> names;
  for (const Format& f : kTextFormats) names.emplace_back(f.name);
  names.emplace_back("json");
  names.emplace_back("caddy");
  return names;
}

Result<LogLineReader> LogLineReader::Make(std::string_view format) {
  for (const Format& f : kTextFormats)
    if (f.name == format)
      return LogLineReader(std::make_unique<agent::AccessLogDecoder>(f.format), false);
  if (format == "json" || format == "caddy")
    return LogLineReader(std::make_unique<agent::JsonDecoder>(agent::JsonLimits{}),
                         format == "caddy");
  return Fail(ErrorCode::kInvalidArgument, "unknown log format " + Printable(format));
}

bool LogLineReader::Read(std::string_view line, FinishedRequest& out) {
  // Decoders may look at the bytes behind the text.
  padded_.assign(line);
  padded_.append(agent::kPadding, '\0');
  arena_ = agent::Arena();
  decoded_.Clear();
  out = {};
  if (decoder_->Decode(std::string_view(padded_).substr(0, line.size()), arena_, decoded_) !=
      nullptr)
    return false;
  for (const agent::Field& f : decoded_.fields) Take(f.name(), Value::Of(f), out);
  return out.status >= 100 && out.status <= 999;
}

std::string_view LogLineReader::Plain(const Value& v) {
  if (!v.is_text()) return {};
  if (v.type != agent::Type::kJsonString || !agent::json::HasEscapes(v.text())) return v.text();
  char* const text = arena_.Allocate(v.text().size());
  return {text, agent::json::Unescape(v.text(), text)};
}

void LogLineReader::Take(std::string_view name, const Value& v, FinishedRequest& out) {
  const std::string_view plain = Plain(v);
  if (caddy_ && name == "request" && v.is_object()) return TakeCaddyRequest(v.text(), out);
  if (Is(name, "request", "message")) {
    TakeRequestLine(plain, out);
  } else if (Is(name, "method", "request_method")) {
    out.method = plain;
  } else if (Is(name, "request_uri", "uri", "path")) {
    TakeTarget(plain, out);
  } else if (name == "status") {
    out.status = static_cast<int>(std::clamp(Number(v, plain), 0.0, 1000.0));
  } else if (Is(name, "request_time", "duration")) {
    TakeSeconds(Number(v, plain), out);
  } else if (Is(name, "size", "body_bytes_size", "body_bytes_sent")) {
    out.bytes_out = Bytes(Number(v, plain));
  } else if (Is(name, "request_length", "bytes_read")) {
    out.bytes_in = Bytes(Number(v, plain));
  } else if (Is(name, "request_id", "req_id")) {
    out.request_id = plain;
  } else if (name == "scheme") {
    out.https = plain == "https";
  }
}

// {"method":"GET","uri":"/x?y","tls":{...},...}: https://caddyserver.com/docs/logging
void LogLineReader::TakeCaddyRequest(std::string_view object, FinishedRequest& out) {
  out.method = Plain(agent::json::Member(object, "method"));
  TakeTarget(Plain(agent::json::Member(object, "uri")), out);
  out.https = agent::json::Member(object, "tls").is_object();
}

// "GET /path HTTP/1.1"; what is not that was no HTTP either.
void LogLineReader::TakeRequestLine(std::string_view line, FinishedRequest& out) {
  const auto first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos) return;
  out.method = line.substr(0, first);
  TakeTarget(last > first ? line.substr(first + 1, last - first - 1) : line.substr(first + 1), out);
}

void LogLineReader::TakeTarget(std::string_view target, FinishedRequest& out) {
  out.path = target.substr(0, target.find('?'));
}

}  // namespace millrace::app_metrics::sidecar
