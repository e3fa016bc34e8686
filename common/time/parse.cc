#include "common/time/parse.h"

#include <algorithm>
#include <utility>

#include "common/base/strings.h"
#include "common/time/civil.h"
#include "common/time/format.h"
#include "common/time/rfc3339.h"
#include "common/time/scan.h"

namespace millrace::time {

/// What the conversions of one text said.
struct TimeParser::State {
  Civil civil;
  bool has_year = false, has_date = false;
  int day_of_year = 0;
  int half = -1;              ///< 0 = am, 1 = pm.
  std::optional<int> offset;  ///< East of UTC.
  std::optional<std::int64_t> unix_seconds;
};

namespace {

bool IsLetter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

std::size_t Letters(std::string_view s) {
  std::size_t n = 0;
  while (n < s.size() && IsLetter(s[n])) ++n;
  return n;
}

constexpr std::string_view kMonthNames[] = {"january",   "february", "march",    "april",
                                            "may",       "june",     "july",     "august",
                                            "september", "october",  "november", "december"};
constexpr std::string_view kDayNames[] = {"sunday",   "monday", "tuesday", "wednesday",
                                          "thursday", "friday", "saturday"};

/// A name or its first three letters (four for "Sept"), with or without a point.
template <std::size_t kCount>
bool ScanName(std::string_view& s, const std::string_view (&names)[kCount], int& index) {
  const std::size_t n = Letters(s);
  if (n < 3) return false;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (n > names[i].size() || !EqualsIgnoreCase(s.substr(0, n), names[i].substr(0, n))) continue;
    if (n != 3 && n != names[i].size() && n != 4) continue;
    index = static_cast<int>(i);
    s.remove_prefix(n);
    return true;
  }
  return false;
}

/// Abbreviations that mean one offset wherever they are used in logs (RFC 2822 and Europe's).
bool ScanZoneName(std::string_view& s, int& seconds) {
  static constexpr std::pair<std::string_view, int> kZones[] = {
      {"UTC", 0},  {"GMT", 0},  {"UT", 0},   {"Z", 0},    {"EST", -5}, {"EDT", -4}, {"CST", -6},
      {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}, {"CET", 1},  {"CEST", 2},
      {"EET", 2},  {"EEST", 3}, {"WET", 0},  {"WEST", 1}, {"MSK", 3},  {"JST", 9},  {"KST", 9}};
  const std::size_t n = Letters(s);
  for (const auto& [name, hours] : kZones) {
    if (!EqualsIgnoreCase(s.substr(0, n), name)) continue;
    seconds = hours * 3600;
    s.remove_prefix(n);
    return true;
  }
  return false;
}

/// One or two digits, a blank in front allowed.
bool ScanPadded(std::string_view& s, int& value) {
  while (ScanChar(s, ' ')) continue;
  return ScanNumber(s, 2, value);
}

}  // namespace

Result<TimeParser> TimeParser::Make(std::string_view format, std::shared_ptr<const Zone> zone) {
  TimeParser p;
  p.zone_ = std::move(zone);
  static constexpr std::pair<std::string_view, Kind> kNames[] = {
      {"rfc3339", Kind::kIso},    {"iso8601", Kind::kIso},     {"ISO8601", Kind::kIso},
      {"%+", Kind::kIso},         {"rfc2822", Kind::kRfc2822}, {"unix", Kind::kUnix},
      {"unix_ms", Kind::kMillis}, {"unix_us", Kind::kMicros},  {"unix_ns", Kind::kNanos},
      {"auto", Kind::kAuto}};
  for (const auto& [name, kind] : kNames) {
    if (format != name) continue;
    p.kind_ = kind;
    return p;
  }
  if (format.find('%') == std::string_view::npos)
    return Fail(ErrorCode::kInvalidArgument,
                "\"" + std::string(format) +
                    "\" is no format: it has no conversion such as %Y and is none of rfc3339, "
                    "rfc2822, unix, unix_ms, unix_us, unix_ns, auto");
  const auto add = [&](std::string_view conversions) {
    for (const char c : conversions) p.pieces_.push_back({c == ' ' || IsLetter(c) ? c : '\0', c});
  };
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char c = format[i];
    if (c == ' ' || c == '\t' || c == '\n') {
      if (p.pieces_.empty() || p.pieces_.back().conversion != ' ') p.pieces_.push_back({' ', c});
      continue;
    }
    if (c != '%') {
      p.pieces_.push_back({'\0', c});
      continue;
    }
    std::string_view rest = format.substr(i + 1);
    std::size_t skip = 0;
    bool point = false, digits = false;
    if (rest.starts_with(".")) point = ++skip > 0;
    if (skip < rest.size() && (rest[skip] == '3' || rest[skip] == '6' || rest[skip] == '9'))
      digits = ++skip > 0;
    if (!point && !digits) {
      // Padding and separators that change nothing in what we accept: %-d, %_d, %0d, %:z.
      while (skip < rest.size() && (rest[skip] == ':' || rest[skip] == '-' || rest[skip] == '_' ||
                                    rest[skip] == '0' || rest[skip] == '#'))
        ++skip;
    }
    const char conversion = skip < rest.size() ? rest[skip] : '\0';
    i += skip + 1;
    if ((point || digits) && conversion != 'f')
      return Fail(ErrorCode::kInvalidArgument, "\"" + std::string(format) +
                                                   "\": only %f takes a point or a number of "
                                                   "digits");
    switch (conversion) {
      case 'f':
      case 'L':
      case 'N':
        p.pieces_.push_back({point ? 'F' : 'f', '\0'});
        break;
      case 'T':
      case 'X':
        add("H:M:S");
        break;
      case 'R':
        add("H:M");
        break;
      case 'r':
        add("I:M:S p");
        break;
      case 'D':
      case 'x':
        add("m/d/y");
        break;
      case 'F':
        add("Y-m-d");
        break;
      case 'c':
        add("a b e H:M:S Y");
        break;
      case 'v':
        add("e-b-Y");
        break;
      case '%':
        p.pieces_.push_back({'\0', '%'});
        break;
      case 'n':
      case 't':
        p.pieces_.push_back({' ', ' '});
        break;
      case 'B':
      case 'h':
        p.pieces_.push_back({'b', '\0'});
        break;
      case 'A':
        p.pieces_.push_back({'a', '\0'});
        break;
      case 'k':
        p.pieces_.push_back({'H', '\0'});
        break;
      case 'l':
        p.pieces_.push_back({'I', '\0'});
        break;
      case 'P':
        p.pieces_.push_back({'p', '\0'});
        break;
      case 'Y':
      case 'y':
      case 'm':
      case 'd':
      case 'e':
      case 'b':
      case 'a':
      case 'H':
      case 'I':
      case 'p':
      case 'M':
      case 'S':
      case 'z':
      case 'Z':
      case 's':
      case 'j':
        p.pieces_.push_back({conversion, '\0'});
        break;
      default:
        return Fail(ErrorCode::kInvalidArgument,
                    "\"" + std::string(format) + "\": unknown conversion %" +
                        (conversion == '\0' ? std::string() : std::string(1, conversion)));
    }
  }
  return p;
}

bool TimeParser::Read(Piece piece, std::string_view& s, State& state) const {
  Civil& c = state.civil;
  int v = 0;
  switch (piece.conversion) {
    case '\0':
      return ScanChar(s, piece.literal);
    case ' ': {
      bool any = false;
      while (ScanChar(s, ' ') || ScanChar(s, '\t')) any = true;
      return any;
    }
    case 'Y':
      state.has_year = true;
      if (!ScanDigits(s, 4, v)) return false;
      c.year = v;
      return true;
    case 'y':
      state.has_year = true;
      if (!ScanDigits(s, 2, v)) return false;
      c.year = v < 69 ? 2000 + v : 1900 + v;
      return true;
    case 'm':
      state.has_date = true;
      return ScanPadded(s, c.month);
    case 'd':
    case 'e':
      state.has_date = true;
      return ScanPadded(s, c.day);
    case 'b':
      state.has_date = true;
      if (!ScanName(s, kMonthNames, c.month)) return false;
      ++c.month;
      static_cast<void>(ScanChar(s, '.'));
      return true;
    case 'a':
      return ScanName(s, kDayNames, v);
    case 'j':
      state.has_date = true;
      return ScanNumber(s, 3, state.day_of_year) && state.day_of_year > 0;
    case 'H':
    case 'I':
      return ScanPadded(s, c.hour) && (piece.conversion == 'H' || (c.hour >= 1 && c.hour <= 12));
    case 'p':
      if (s.size() < 2 || (s[1] | 0x20) != 'm') return false;
      if ((s[0] | 0x20) != 'a' && (s[0] | 0x20) != 'p') return false;
      state.half = (s[0] | 0x20) == 'p' ? 1 : 0;
      s.remove_prefix(2);
      return true;
    case 'M':
      return ScanPadded(s, c.minute);
    case 'S':
      return ScanPadded(s, c.second);
    case 'f':
      return ScanFraction(s, c.nanos);
    case 'F':
      // "%.f": the fraction may be left out.
      return (!ScanChar(s, '.') && !ScanChar(s, ',')) || ScanFraction(s, c.nanos);
    case 'z':
    case 'Z':
      if (ScanOffset(s, v) || ScanZoneName(s, v)) {
        state.offset = v;
        return true;
      }
      return false;
    case 's': {
      const bool negative = ScanChar(s, '-');
      std::size_t n = 0;
      while (n < s.size() && IsDigit(s[n])) ++n;
      const auto seconds = ParseNumber<std::int64_t>(s.substr(0, n));
      if (!seconds || *seconds > 9'000'000'000) return false;
      state.unix_seconds = negative ? -*seconds : *seconds;
      s.remove_prefix(n);
      return true;
    }
    default:
      return false;
  }
}

std::optional<std::int64_t> TimeParser::ParseFields(std::string_view s, std::int64_t now_ns) const {
  State state;
  for (const Piece piece : pieces_)
    if (!Read(piece, s, state)) return std::nullopt;
  if (!s.empty()) return std::nullopt;
  Civil& c = state.civil;
  if (state.unix_seconds) return *state.unix_seconds * kNsPerSecond + c.nanos;
  if (state.half >= 0) {
    if (c.hour < 1 || c.hour > 12) return std::nullopt;
    c.hour = c.hour % 12 + 12 * state.half;
  }
  const auto moment = [&]() -> std::optional<std::int64_t> {
    if (state.day_of_year > 0) {
      if (state.day_of_year > (IsLeap(c.year) ? 366 : 365)) return std::nullopt;
      const CivilTime t =
          ToCivil((DaysFromCivil(c.year, 1, 1) + state.day_of_year - 1) * kSecondsPerDay);
      c.month = static_cast<int>(t.month);
      c.day = static_cast<int>(t.day);
    }
    if (!IsValid(c) || c.year < kMinYear || c.year > kMaxYear) return std::nullopt;
    if (state.offset) return NanosFromCivil(c, *state.offset);
    const std::int64_t local =
        NanosFromCivil(c) / kNsPerSecond - (NanosFromCivil(c) % kNsPerSecond < 0 ? 1 : 0);
    return zone_->ToUnix(local) * kNsPerSecond + c.nanos;
  };
  if (state.has_year) return moment();

  const CivilTime now = ToCivil(now_ns / kNsPerSecond);
  if (!state.has_date) {
    c.month = static_cast<int>(now.month);
    c.day = static_cast<int>(now.day);
  }
  // The newest year that does not put it into the future; a day for clocks and zones that differ.
  for (std::int64_t year = now.year + 1; year >= now.year - 8; --year) {
    c.year = year;
    const auto t = moment();
    if (t && *t <= now_ns + kSecondsPerDay * kNsPerSecond) return t;
  }
  return std::nullopt;
}

std::optional<std::int64_t> TimeParser::ParseIso(std::string_view s) const {
  if (const auto t = ParseRfc3339(s)) return t;
  // Without a zone, or as a date alone.
  Civil c;
  int year = 0;
  if (!ScanDigits(s, 4, year) || !ScanChar(s, '-') || !ScanDigits(s, 2, c.month) ||
      !ScanChar(s, '-') || !ScanDigits(s, 2, c.day))
    return std::nullopt;
  if (!s.empty()) {
    if (!ScanChar(s, 'T') && !ScanChar(s, ' ')) return std::nullopt;
    if (!ScanDigits(s, 2, c.hour) || !ScanChar(s, ':') || !ScanDigits(s, 2, c.minute))
      return std::nullopt;
    if (ScanChar(s, ':') && !ScanDigits(s, 2, c.second)) return std::nullopt;
    if ((ScanChar(s, '.') || ScanChar(s, ',')) && !ScanFraction(s, c.nanos)) return std::nullopt;
    int offset = 0;
    if (!s.empty()) {
      while (ScanChar(s, ' ')) continue;
      if ((!ScanOffset(s, offset) && !ScanZoneName(s, offset)) || !s.empty()) return std::nullopt;
      c.year = year;
      if (!IsValid(c) || year < kMinYear || year > kMaxYear) return std::nullopt;
      return NanosFromCivil(c, offset);
    }
  }
  c.year = year;
  if (!IsValid(c) || year < kMinYear || year > kMaxYear) return std::nullopt;
  const int nanos = std::exchange(c.nanos, 0);
  return zone_->ToUnix(NanosFromCivil(c) / kNsPerSecond) * kNsPerSecond + nanos;
}

std::optional<std::int64_t> TimeParser::ParseRfc2822(std::string_view s) {
  // "Tue, 1 Jul 2003 10:52:37 +0200"; the day's name and the seconds may be missing.
  Civil c;
  int v = 0, offset = 0, year = 0;
  if (ScanName(s, kDayNames, v)) static_cast<void>(ScanChar(s, ','));
  if (!ScanPadded(s, c.day)) return std::nullopt;
  while (ScanChar(s, ' ')) continue;
  if (!ScanName(s, kMonthNames, c.month)) return std::nullopt;
  ++c.month;
  while (ScanChar(s, ' ')) continue;
  if (!ScanDigits(s, 4, year)) return std::nullopt;
  if (!ScanPadded(s, c.hour) || !ScanChar(s, ':') || !ScanDigits(s, 2, c.minute))
    return std::nullopt;
  if (ScanChar(s, ':') && !ScanDigits(s, 2, c.second)) return std::nullopt;
  while (ScanChar(s, ' ')) continue;
  if ((!ScanOffset(s, offset) && !ScanZoneName(s, offset)) || !s.empty()) return std::nullopt;
  c.year = year;
  if (!IsValid(c) || year < kMinYear || year > kMaxYear) return std::nullopt;
  return NanosFromCivil(c, offset);
}

std::optional<std::int64_t> TimeParser::ParseUnix(std::string_view s, std::int64_t unit) {
  const bool negative = ScanChar(s, '-');
  std::size_t n = 0;
  while (n < s.size() && IsDigit(s[n])) ++n;
  const auto whole = ParseNumber<std::int64_t>(s.substr(0, n));
  if (!whole || *whole > INT64_MAX / unit - 1) return std::nullopt;
  s.remove_prefix(n);
  std::int64_t ns = *whole * unit;
  if (ScanChar(s, '.')) {
    int fraction = 0;
    if (!ScanFraction(s, fraction)) return std::nullopt;
    ns += fraction / (kNsPerSecond / unit);
  }
  if (!s.empty()) return std::nullopt;
  return negative ? -ns : ns;
}

std::optional<std::int64_t> TimeParser::Parse(std::string_view text, std::int64_t now_ns) const {
  text = Trim(text);
  switch (kind_) {
    case Kind::kFields:
      return ParseFields(text, now_ns);
    case Kind::kIso:
      return ParseIso(text);
    case Kind::kRfc2822:
      return ParseRfc2822(text);
    case Kind::kUnix:
      return ParseUnix(text, kNsPerSecond);
    case Kind::kMillis:
      return ParseUnix(text, 1'000'000);
    case Kind::kMicros:
      return ParseUnix(text, 1000);
    case Kind::kNanos:
      return ParseUnix(text, 1);
    case Kind::kAuto:
      break;
  }
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == text.size() || (digits >= 9 && digits <= 11 && text[digits] == '.')) {
    // Seconds until the year 5138, so the length tells the unit.
    return ParseUnix(text, digits <= 11   ? kNsPerSecond
                           : digits <= 14 ? 1'000'000
                           : digits <= 17 ? 1000
                                          : 1);
  }
  if (const auto t = ParseIso(text)) return t;
  return ParseRfc2822(text);
}

}  // namespace millrace::time
