#include "agent/decode/error_log.h"

#include <algorithm>

#include "agent/decode/access_log.h"
#include "common/base/strings.h"
#include "common/time/civil.h"
#include "common/time/scan.h"

namespace millrace::agent {
namespace {

using time::ScanChar;
using time::ScanDigits;

/// Digits up to `stop`, which is read too.
bool TakeNumber(std::string_view& s, char stop, std::int64_t& value) {
  const std::size_t n = std::min(s.find_first_not_of("0123456789"), s.size());
  const auto v = ParseNumber<std::int64_t>(s.substr(0, n));
  if (!v || n >= s.size() || s[n] != stop) return false;
  value = *v;
  s.remove_prefix(n + 1);
  return true;
}

std::int64_t Local(const time::Civil& c, const time::Zone& zone) {
  time::Civil whole = c;
  whole.nanos = 0;
  return zone.ToUnix(time::NanosFromCivil(whole) / time::kNsPerSecond) * time::kNsPerSecond +
         c.nanos;
}

bool IsLogTime(const time::Civil& c) {
  return time::IsValid(c) && c.year >= time::kMinYear && c.year <= time::kMaxYear;
}

std::string_view FieldName(std::string_view name) {
  // As the access log calls it.
  return name == "referrer" ? "referer" : name;
}

/// `, client: 1.2.3.4, request: "GET / HTTP/1.1"` to the end. False = it is something else.
bool TakeDetails(std::string_view s, Decoded& out) {
  while (!s.empty()) {
    if (!s.starts_with(", ")) return false;
    s.remove_prefix(2);
    const std::size_t colon = s.find(": ");
    // "server: , request": nginx writes the blank even where the value is empty.
    if (colon == std::string_view::npos || colon == 0) return false;
    const std::string_view name = s.substr(0, colon);
    if (name.find_first_of("\" ,") != std::string_view::npos) return false;
    s.remove_prefix(colon + 2);
    std::string_view value;
    if (ScanChar(s, '"')) {
      std::size_t end = s.find('"');
      while (end != std::string_view::npos && end + 1 < s.size() && s[end + 1] != ',')
        end = s.find('"', end + 1);
      if (end == std::string_view::npos) return false;
      value = s.substr(0, end);
      s.remove_prefix(end + 1);
    } else {
      const std::size_t end = std::min(s.find(", "), s.size());
      value = s.substr(0, end);
      s.remove_prefix(end);
    }
    out.Add(FieldName(name), value);
  }
  return true;
}

/// `limiting requests, excess: 10.3 by zone "api"`
void TakeExcess(std::string_view& message, Decoded& out) {
  const std::size_t at = message.find(", excess: ");
  if (at == std::string_view::npos) return;
  std::string_view rest = message.substr(at + 10);
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789."), rest.size());
  const auto excess = ParseNumber<double>(rest.substr(0, digits));
  rest.remove_prefix(digits);
  static_cast<void>(ScanChar(rest, ','));
  if (!excess || !rest.starts_with(" by zone \"") || !rest.ends_with("\"")) return;
  out.AddDouble("excess", *excess);
  out.Add("zone", rest.substr(10, rest.size() - 11));
  message = message.substr(0, at);
}

}  // namespace

const char* NginxErrorDecoder::Decode(std::string_view s, Arena& /*arena*/, Decoded& out) const {
  time::Civil c;
  int year = 0;
  if (!ScanDigits(s, 4, year) || !ScanChar(s, '/') || !ScanDigits(s, 2, c.month) ||
      !ScanChar(s, '/') || !ScanDigits(s, 2, c.day) || !ScanChar(s, ' ') ||
      !ScanDigits(s, 2, c.hour) || !ScanChar(s, ':') || !ScanDigits(s, 2, c.minute) ||
      !ScanChar(s, ':') || !ScanDigits(s, 2, c.second) || !ScanChar(s, ' '))
    return "the time is not one";
  c.year = year;
  if (!IsLogTime(c)) return "the time is not one";
  out.time_ns = Local(c, *zone_);
  if (!ScanChar(s, '[')) return "the severity is missing";
  const std::size_t close = s.find(']');
  if (close == std::string_view::npos || close == 0) return "the severity is missing";
  out.Add("severity", s.substr(0, close));
  s.remove_prefix(close + 1);
  std::int64_t pid = 0, tid = 0, cid = 0;
  if (!ScanChar(s, ' ') || !TakeNumber(s, '#', pid) || !TakeNumber(s, ':', tid))
    return "the process id is missing";
  out.AddInt("pid", pid);
  out.AddInt("tid", tid);
  static_cast<void>(ScanChar(s, ' '));
  std::string_view numbered = s;
  if (ScanChar(numbered, '*') && TakeNumber(numbered, ' ', cid)) {
    out.AddInt("cid", cid);
    s = numbered;
  }
  const std::size_t fixed = out.fields.size();
  const std::size_t client = s.find(", client: ");
  std::string_view message = s;
  if (client != std::string_view::npos) {
    if (TakeDetails(s.substr(client), out))
      message = s.substr(0, client);
    else
      out.fields.resize(fixed);
  }
  TakeExcess(message, out);
  out.Add("message", message);
  return nullptr;
}

ApacheErrorDecoder::ApacheErrorDecoder(std::shared_ptr<const time::Zone> zone)
    : zone_(std::move(zone)) {}

const char* ApacheErrorDecoder::Decode(std::string_view s, Arena& /*arena*/, Decoded& out) const {
  if (!ScanChar(s, '[')) return "a bracket is missing";
  std::size_t close = s.find(']');
  if (close == std::string_view::npos) return "a bracket is not closed";
  std::string_view time = s.substr(0, close);
  s.remove_prefix(close + 1);
  if (!ParseAccessTime(time, out.time_ns)) {
    // "Fri Sep 09 10:42:29.902022 2011"
    time::Civil c;
    int year = 0;
    if (time.size() < 4 || time[3] != ' ') return "the time is not one";
    time.remove_prefix(4);
    if (!time::ScanMonth(time, c.month) || !ScanChar(time, ' ') || !ScanDigits(time, 2, c.day) ||
        !ScanChar(time, ' ') || !ScanDigits(time, 2, c.hour) || !ScanChar(time, ':') ||
        !ScanDigits(time, 2, c.minute) || !ScanChar(time, ':') || !ScanDigits(time, 2, c.second))
      return "the time is not one";
    if (ScanChar(time, '.') && !time::ScanFraction(time, c.nanos)) return "the time is not one";
    if (!ScanChar(time, ' ') || !ScanDigits(time, 4, year)) return "the time is not one";
    c.year = year;
    if (!IsLogTime(c)) return "the time is not one";
    out.time_ns = Local(c, *zone_);
  }
  bool severity = false;
  while (s.starts_with(" [")) {
    close = s.find(']');
    if (close == std::string_view::npos) break;
    std::string_view word = s.substr(2, close - 2);
    if (word.starts_with("pid ")) {
      word.remove_prefix(4);
      const std::size_t colon = word.find(":tid ");
      const auto pid = ParseNumber<std::int64_t>(word.substr(0, colon));
      if (!pid) break;
      out.AddInt("pid", *pid);
      if (colon != std::string_view::npos) out.Add("thread", word.substr(colon + 5));
    } else if (word.starts_with("client ")) {
      word.remove_prefix(7);
      const std::size_t colon = word.rfind(':');
      const auto port = colon == std::string_view::npos
                            ? std::nullopt
                            : ParseNumber<std::uint16_t>(word.substr(colon + 1));
      if (port) out.AddInt("port", *port);
      std::string_view address = port ? word.substr(0, colon) : word;
      if (address.starts_with("[") && address.ends_with("]"))
        address = address.substr(1, address.size() - 2);
      out.Add("client", address);
    } else if (!severity) {
      severity = true;
      const std::size_t colon = word.find(':');
      if (colon != std::string_view::npos && colon > 0) out.Add("module", word.substr(0, colon));
      out.Add("severity", colon == std::string_view::npos ? word : word.substr(colon + 1));
    } else {
      break;  // The message starts with a bracket.
    }
    s.remove_prefix(close + 1);
  }
  if (!severity) return "the severity is missing";
  static_cast<void>(ScanChar(s, ' '));
  out.Add("message", s);
  return nullptr;
}

}  // namespace millrace::agent
