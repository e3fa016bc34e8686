#include "agent/decode/access_log.h"

#include "agent/decode/find.h"
#include "agent/decode/json_scanner.h"
#include "common/base/strings.h"
#include "common/time/civil.h"
#include "common/time/rfc3339.h"
#include "common/time/scan.h"

namespace millrace::agent {
namespace {

using Kind = AccessColumn::Kind;

// Names as Vector's parse_nginx_log and parse_apache_log give them.
constexpr AccessColumn kNginxCombined[] = {
    {"client", Kind::kWord, false, false},   {"", Kind::kWord, false, false},
    {"user", Kind::kWord, false, false},     {"", Kind::kTime, false, false},
    {"request", Kind::kQuoted, true, false}, {"status", Kind::kInteger, false, false},
    {"size", Kind::kInteger, false, false},  {"referer", Kind::kQuoted, true, false},
    {"agent", Kind::kQuoted, true, false},   {"compression", Kind::kQuoted, false, true},
};
constexpr AccessColumn kNginxMain[] = {
    {"remote_addr", Kind::kWord, false, false},
    {"", Kind::kWord, false, false},
    {"remote_user", Kind::kWord, false, false},
    {"", Kind::kTime, false, false},
    {"request", Kind::kQuoted, false, false},
    {"status", Kind::kInteger, false, false},
    {"body_bytes_size", Kind::kInteger, false, false},
    {"http_referer", Kind::kQuoted, false, false},
    {"http_user_agent", Kind::kQuoted, false, false},
    {"http_x_forwarded_for", Kind::kQuoted, false, true},
};
constexpr AccessColumn kNginxIngress[] = {
    {"remote_addr", Kind::kWord, false, false},
    {"", Kind::kWord, false, false},
    {"remote_user", Kind::kWord, false, false},
    {"", Kind::kTime, false, false},
    {"request", Kind::kQuoted, false, false},
    {"status", Kind::kInteger, false, false},
    {"body_bytes_size", Kind::kInteger, false, false},
    {"http_referer", Kind::kQuoted, false, false},
    {"http_user_agent", Kind::kQuoted, false, false},
    {"request_length", Kind::kInteger, false, false},
    {"request_time", Kind::kNumber, false, false},
    {"proxy_upstream_name", Kind::kBracketed, false, false},
    {"proxy_alternative_upstream_name", Kind::kBracketed, false, false},
    {"upstream_addr", Kind::kWord, true, false},
    {"upstream_response_length", Kind::kInteger, false, false},
    {"upstream_response_time", Kind::kNumber, false, false},
    {"upstream_status", Kind::kInteger, false, false},
    {"req_id", Kind::kWord, false, false},
};
constexpr AccessColumn kCombined[] = {
    {"host", Kind::kWord, false, false},       {"identity", Kind::kWord, false, false},
    {"user", Kind::kWord, false, false},       {"", Kind::kTime, false, false},
    {"message", Kind::kRequest, false, false}, {"status", Kind::kInteger, false, false},
    {"size", Kind::kInteger, false, false},    {"referrer", Kind::kQuoted, false, false},
    {"agent", Kind::kQuoted, false, false},
};
constexpr std::size_t kCommonColumns = 7;

std::span<const AccessColumn> ColumnsOf(AccessFormat format) {
  switch (format) {
    case AccessFormat::kNginxCombined:
      return kNginxCombined;
    case AccessFormat::kNginxMain:
      return kNginxMain;
    case AccessFormat::kNginxIngress:
      return kNginxIngress;
    case AccessFormat::kCommon:
      return std::span(kCombined).first(kCommonColumns);
    case AccessFormat::kCombined:
      return kCombined;
  }
  return {};
}

/// `p` behind the opening quote; the closing quote, or `end`.
const char* FindQuote(const char* p, const char* end) {
  for (;;) {
    p = json::FindSpecial(p, end);
    if (p >= end || *p == '"') return p;
    p += *p == '\\' && end - p > 1 ? 2 : 1;
  }
}

bool AddInteger(std::string_view name, std::string_view text, Decoded& out) {
  if (text.size() > 19) return false;
  std::uint64_t v = 0;
  for (const char c : text) {
    if (!time::IsDigit(c)) return false;
    v = v * 10 + static_cast<unsigned>(c - '0');
  }
  if (text.empty() || v > INT64_MAX) return false;
  out.AddInt(name, static_cast<std::int64_t>(v));
  return true;
}

void AddRequest(std::string_view name, std::string_view text, Decoded& out) {
  out.Add(name, text);
  const auto first = text.find(' ');
  const auto last = text.rfind(' ');
  if (first == std::string_view::npos || first == last || first == 0) return;
  const std::string_view protocol = text.substr(last + 1);
  if (protocol.empty()) return;
  out.Add("method", text.substr(0, first));
  out.Add("path", text.substr(first + 1, last - first - 1));
  out.Add("protocol", protocol);
}

}  // namespace

bool ParseAccessTime(std::string_view s, std::int64_t& ns) {
  time::Civil c;
  int year = 0, offset = 0;
  if (!time::ScanDigits(s, 2, c.day) || !time::ScanChar(s, '/') || !time::ScanMonth(s, c.month) ||
      !time::ScanChar(s, '/') || !time::ScanDigits(s, 4, year) || !time::ScanChar(s, ':') ||
      !time::ScanDigits(s, 2, c.hour) || !time::ScanChar(s, ':') ||
      !time::ScanDigits(s, 2, c.minute) || !time::ScanChar(s, ':') ||
      !time::ScanDigits(s, 2, c.second) || !time::ScanChar(s, ' ') ||
      !time::ScanOffset(s, offset) || !s.empty())
    return false;
  c.year = year;
  if (!time::IsValid(c) || year < time::kMinYear || year > time::kMaxYear) return false;
  ns = time::NanosFromCivil(c, offset);
  return true;
}

AccessLogDecoder::AccessLogDecoder(AccessFormat format) : columns_(ColumnsOf(format)) {}

const char* AccessLogDecoder::Decode(std::string_view text, Arena& /*arena*/, Decoded& out) const {
  const char* p = text.data();
  const char* end = p + text.size();
  while (end > p && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\n')) --end;
  bool first = true;
  for (const AccessColumn& column : columns_) {
    if (!first) {
      if (p >= end && column.optional) return nullptr;
      if (p >= end || *p != ' ') return "the line has too few columns";
      ++p;
    }
    first = false;
    if (p >= end) return "the line has too few columns";
    std::string_view word;
    const bool quoted = column.kind == Kind::kQuoted || column.kind == Kind::kRequest;
    if (*p == '"' && quoted) {
      const char* const close = FindQuote(p + 1, end);
      if (close >= end) return "a quote is not closed";
      word = Slice(p + 1, close);
      p = close + 1;
    } else if (*p == '[' && (column.kind == Kind::kTime || column.kind == Kind::kBracketed)) {
      const char* const close = FindByte(p, end, ']');
      if (close >= end) return "a bracket is not closed";
      word = Slice(p + 1, close);
      p = close + 1;
    } else {
      const char* const blank = FindByte(p, end, ' ');
      word = Slice(p, blank);
      p = blank;
      if ((quoted || column.kind == Kind::kTime || column.kind == Kind::kBracketed) && word != "-")
        return quoted ? "a quote is missing" : "a bracket is missing";
    }
    if (word == "-" && !column.keep_dash) continue;
    switch (column.kind) {
      case Kind::kWord:
      case Kind::kQuoted:
        if (!column.name.empty()) out.Add(column.name, word);
        break;
      case Kind::kBracketed:
        if (!word.empty()) out.Add(column.name, word);
        break;
      case Kind::kRequest:
        AddRequest(column.name, word, out);
        break;
      case Kind::kInteger:
        if (!AddInteger(column.name, word, out)) return "a number is missing";
        break;
      case Kind::kNumber: {
        const auto number = ParseNumber<double>(word);
        if (!number) return "a number is missing";
        out.AddDouble(column.name, *number);
        break;
      }
      case Kind::kTime:
        if (!ParseAccessTime(word, out.time_ns)) {
          const auto ns = time::ParseRfc3339(word);
          if (!ns) return "the time is not one";
          out.time_ns = *ns;
        }
        break;
    }
  }
  return p == end ? nullptr : "something follows the last column";
}

}  // namespace millrace::agent
