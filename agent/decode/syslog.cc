#include "agent/decode/syslog.h"

#include <algorithm>

#include "agent/core/json_text.h"
#include "agent/decode/convert.h"
#include "common/base/strings.h"
#include "common/time/civil.h"
#include "common/time/format.h"
#include "common/time/rfc3339.h"
#include "common/time/scan.h"

namespace millrace::agent {
namespace {

std::string_view Word(std::string_view& s) {
  const std::size_t n = std::min(s.find(' '), s.size());
  const std::string_view word = s.substr(0, n);
  s.remove_prefix(n);
  return word;
}

bool Blank(std::string_view& s) { return time::ScanChar(s, ' '); }

void AddProcess(std::string_view text, Decoded& out) {
  if (const auto id = ParseNumber<std::int64_t>(text))
    out.AddInt("procid", *id);
  else
    out.Add("procid", text);
}

/// "Jan  2 15:04:05", also with a year in front of or behind it; false leaves `s` alone.
bool ScanBsdTime(std::string_view& s, const time::Zone& zone, std::int64_t& ns) {
  std::string_view rest = s;
  time::Civil c;
  int year = 0;
  if (time::ScanDigits(rest, 4, year) && !Blank(rest)) return false;
  if (!time::ScanMonth(rest, c.month) || !Blank(rest)) return false;
  while (Blank(rest)) continue;
  if (!time::ScanNumber(rest, 2, c.day) || !Blank(rest)) return false;
  std::string_view with_year = rest;
  if (year == 0 && time::ScanDigits(with_year, 4, year)) {
    if (Blank(with_year))
      rest = with_year;
    else
      year = 0;
  }
  if (!time::ScanDigits(rest, 2, c.hour) || !time::ScanChar(rest, ':') ||
      !time::ScanDigits(rest, 2, c.minute) || !time::ScanChar(rest, ':') ||
      !time::ScanDigits(rest, 2, c.second))
    return false;
  if (time::ScanChar(rest, '.') && !time::ScanFraction(rest, c.nanos)) return false;
  const auto moment = [&](std::int64_t y, std::int64_t& out) {
    c.year = y;
    if (!time::IsValid(c) || y < time::kMinYear || y > time::kMaxYear) return false;
    const int nanos = c.nanos;
    time::Civil whole = c;
    whole.nanos = 0;
    out =
        zone.ToUnix(time::NanosFromCivil(whole) / time::kNsPerSecond) * time::kNsPerSecond + nanos;
    return true;
  };
  if (year != 0) {
    if (!moment(year, ns)) return false;
    s = rest;
    return true;
  }
  const std::int64_t now = NowNanos();
  const std::int64_t this_year = ToCivil(now / time::kNsPerSecond).year;
  for (std::int64_t y = this_year + 1; y >= this_year - 8; --y) {
    if (!moment(y, ns) || ns > now + time::kSecondsPerDay * time::kNsPerSecond) continue;
    s = rest;
    return true;
  }
  return false;
}

bool ScanRfc3339Word(std::string_view& s, std::int64_t& ns) {
  std::string_view rest = s;
  const auto t = time::ParseRfc3339(Word(rest));
  if (!t) return false;
  ns = *t;
  s = rest;
  return true;
}

/// `[id name="value" ...]...`; values take \" \\ \] as escapes.
const char* StructuredData(std::string_view& s, Arena& arena, Decoded& out) {
  if (time::ScanChar(s, '-')) return nullptr;
  if (!s.starts_with("[")) return "structured data is missing";
  while (time::ScanChar(s, '[')) {
    const std::size_t id_size = s.find_first_of(" ]");
    if (id_size == std::string_view::npos || id_size == 0 || id_size > kMaxNameLength)
      return "structured data is not closed";
    const std::string_view id = s.substr(0, id_size);
    s.remove_prefix(id_size);
    thread_local Buffer b;
    thread_local std::string value;
    b.clear();
    b.Append('{');
    for (;;) {
      while (Blank(s)) continue;
      if (time::ScanChar(s, ']')) break;
      const std::size_t name_size = s.find_first_of("= ]\"");
      if (name_size == std::string_view::npos || name_size == 0 || s[name_size] != '=')
        return "structured data has a parameter without value";
      const std::string_view name = s.substr(0, name_size);
      s.remove_prefix(name_size + 1);
      while (Blank(s)) continue;
      if (!time::ScanChar(s, '"')) return "structured data has a value without quotes";
      value.clear();
      while (!s.empty() && s[0] != '"') {
        if (s[0] == '\\' && s.size() > 1 && (s[1] == '"' || s[1] == '\\' || s[1] == ']'))
          s.remove_prefix(1);
        value += s[0];
        s.remove_prefix(1);
      }
      if (!time::ScanChar(s, '"')) return "structured data is not closed";
      if (b.size() > 1) b.Append(',');
      json::AppendQuoted(b, name);
      b.Append(':');
      json::AppendQuoted(b, value);
    }
    b.Append('}');
    const bool known = std::any_of(out.fields.begin(), out.fields.end(),
                                   [&](const Field& f) { return f.name() == id; });
    if (!known) out.Add(id, arena.Copy(b.view()), Type::kRawJson);
    if (out.fields.size() > 1000) return "more than 1000 elements of structured data";
  }
  return nullptr;
}

}  // namespace

std::string_view SyslogFacility(unsigned priority) {
  static constexpr std::string_view kNames[] = {
      "kern",   "user",   "mail",     "daemon", "auth",   "syslog",   "lpr",     "news",
      "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "security", "console", "solaris-cron",
      "local0", "local1", "local2",   "local3", "local4", "local5",   "local6",  "local7"};
  return priority / 8 < std::size(kNames) ? kNames[priority / 8] : std::string_view();
}

std::string_view SyslogSeverity(unsigned priority) {
  static constexpr std::string_view kNames[] = {"emerg",   "alert",  "crit", "err",
                                                "warning", "notice", "info", "debug"};
  return kNames[priority % 8];
}

const char* SyslogDecoder::Rfc5424(std::string_view s, Arena& arena, Decoded& out) const {
  int version = 0;
  if (!time::ScanNumber(s, 2, version) || !Blank(s)) return "the version is missing";
  out.AddInt("version", version);
  if (!ScanRfc3339Word(s, out.time_ns) && Word(s) != "-") return "the time is not one";
  for (const std::string_view name : {"hostname", "appname", "procid", "msgid"}) {
    if (!Blank(s)) return "the header is too short";
    const std::string_view word = Word(s);
    if (word.empty()) return "the header is too short";
    if (word == "-") continue;
    if (name == "procid")
      AddProcess(word, out);
    else
      out.Add(name, word);
  }
  if (!Blank(s)) return "structured data is missing";
  if (const char* why = StructuredData(s, arena, out)) return why;
  if (s.empty()) return nullptr;
  if (!Blank(s)) return "something follows the structured data";
  if (s.starts_with("\xEF\xBB\xBF")) s.remove_prefix(3);
  out.Add("message", s);
  return nullptr;
}

const char* SyslogDecoder::Rfc3164(std::string_view s, bool has_priority, Decoded& out) const {
  const bool timed = ScanBsdTime(s, *zone_, out.time_ns) || ScanRfc3339Word(s, out.time_ns);
  if (!timed && !has_priority) return "neither a priority nor a time";
  while (Blank(s)) continue;
  // "host app[12]: text", "app[12]: text" or text alone.
  const auto is_tag = [](std::string_view word) { return word.ends_with(":") && word.size() > 1; };
  std::string_view rest = s;
  std::string_view word = Word(rest);
  if (timed && !is_tag(word) && !word.empty()) {
    std::string_view after = rest;
    while (Blank(after)) continue;
    std::string_view tag_rest = after;
    std::string_view tag = Word(tag_rest);
    // "app [12]:" and tags without a process id but followed by a colon.
    out.Add("hostname", word);
    s = after;
    word = tag;
    rest = tag_rest;
  }
  if (is_tag(word)) {
    word.remove_suffix(1);
    const auto bracket = word.find('[');
    if (bracket != std::string_view::npos && word.ends_with("]") && bracket > 0) {
      out.Add("appname", word.substr(0, bracket));
      AddProcess(word.substr(bracket + 1, word.size() - bracket - 2), out);
    } else {
      out.Add("appname", word);
    }
    s = rest;
    static_cast<void>(Blank(s));
  }
  out.Add("message", s);
  return nullptr;
}

const char* SyslogDecoder::Decode(std::string_view text, Arena& arena, Decoded& out) const {
  std::string_view s = text;
  while (!s.empty() && (s.back() == '\n' || s.back() == '\r' || s.back() == '\0'))
    s.remove_suffix(1);
  if (!time::ScanChar(s, '<')) return Rfc3164(s, false, out);
  int priority = 0;
  if (!time::ScanNumber(s, 3, priority) || !time::ScanChar(s, '>') || priority > 191)
    return "the priority is not one";
  out.Add("facility", SyslogFacility(static_cast<unsigned>(priority)));
  out.Add("severity", SyslogSeverity(static_cast<unsigned>(priority)));
  // Only RFC 5424 has a version behind the priority: "1 ".
  if (s.size() > 1 && s[0] >= '1' && s[0] <= '9' &&
      (s[1] == ' ' || (s.size() > 2 && s[2] == ' ' && time::IsDigit(s[1]))))
    return Rfc5424(s, arena, out);
  return Rfc3164(s, true, out);
}

}  // namespace millrace::agent
