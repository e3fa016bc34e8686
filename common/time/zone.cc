#include "common/time/zone.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "common/time/civil.h"
#include "common/time/format.h"
#include "common/time/scan.h"

namespace millrace::time {
namespace {

std::int64_t BigEndian(std::string_view s) {
  std::uint64_t v = (static_cast<unsigned char>(s[0]) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (const char c : s) v = v << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(v);
}

/// Bounds-checked reader of a TZif file.
struct Reader {
  std::string_view rest;
  bool ok = true;
  std::string_view Take(std::size_t n) {
    if (n > rest.size()) {
      ok = false;
      n = rest.size();
    }
    const std::string_view s = rest.substr(0, n);
    rest.remove_prefix(n);
    return s;
  }
  std::int64_t Number(std::size_t bytes) {
    const std::string_view s = Take(bytes);
    return ok ? BigEndian(s) : 0;
  }
};

struct Counts {
  std::size_t utc, standard, leap, times, types, chars;
  [[nodiscard]] std::size_t Size(std::size_t time_size) const {
    return times * time_size + times + types * 6 + chars + leap * (time_size + 4) + standard + utc;
  }
};

bool ReadHeader(Reader& in, Counts& c, char& version) {
  if (in.Take(4) != "TZif") return false;
  version = in.Take(1).empty() ? '\0' : in.rest.data()[-1];
  in.Take(15);
  c.utc = static_cast<std::size_t>(in.Number(4));
  c.standard = static_cast<std::size_t>(in.Number(4));
  c.leap = static_cast<std::size_t>(in.Number(4));
  c.times = static_cast<std::size_t>(in.Number(4));
  c.types = static_cast<std::size_t>(in.Number(4));
  c.chars = static_cast<std::size_t>(in.Number(4));
  constexpr std::size_t kMany = 100'000;
  return in.ok && c.utc < kMany && c.standard < kMany && c.leap < kMany && c.times < kMany &&
         c.types < kMany && c.chars < kMany;
}

/// "<+03>", "CET": the names of a POSIX TZ string are only read over.
bool SkipName(std::string_view& s) {
  if (ScanChar(s, '<')) {
    const auto end = s.find('>');
    if (end == std::string_view::npos) return false;
    s.remove_prefix(end + 1);
    return true;
  }
  std::size_t n = 0;
  while (n < s.size() && ((s[n] | 0x20) >= 'a' && (s[n] | 0x20) <= 'z')) ++n;
  s.remove_prefix(n);
  return n >= 3;
}

/// "-1", "3:30", "+02:00:00" as seconds.
bool ScanClock(std::string_view& s, int& seconds) {
  const bool negative = ScanChar(s, '-');
  if (!negative) static_cast<void>(ScanChar(s, '+'));
  int h = 0, m = 0, sec = 0;
  if (!ScanNumber(s, 3, h)) return false;
  if (ScanChar(s, ':') && !ScanNumber(s, 2, m)) return false;
  if (ScanChar(s, ':') && !ScanNumber(s, 2, sec)) return false;
  seconds = (h * 3600 + m * 60 + sec) * (negative ? -1 : 1);
  return true;
}

}  // namespace

std::int64_t Zone::Rule::LocalSecond(std::int64_t year) const {
  const std::int64_t first = DaysFromCivil(year, month, 1);
  const int first_weekday = static_cast<int>((first % 7 + 11) % 7);  // 1970 began on a Thursday
  int day = 1 + (weekday - first_weekday + 7) % 7 + (week - 1) * 7;
  while (day > DaysInMonth(year, month)) day -= 7;
  return (first + day - 1) * kSecondsPerDay + second;
}

std::optional<Zone::Tail> Zone::ParseTail(std::string_view s) {
  Tail tail;
  int west = 0;
  if (!SkipName(s) || !ScanClock(s, west)) return std::nullopt;
  tail.standard = -west;
  if (s.empty()) return tail;
  tail.changes = true;
  tail.daylight = tail.standard + 3600;
  if (!SkipName(s)) return std::nullopt;
  if (!s.empty() && s[0] != ',') {
    if (!ScanClock(s, west)) return std::nullopt;
    tail.daylight = -west;
  }
  for (Rule* rule : {&tail.to_daylight, &tail.to_standard}) {
    // The Julian forms (J60, 59) are in no zone of today.
    if (!ScanChar(s, ',') || !ScanChar(s, 'M') || !ScanNumber(s, 2, rule->month) ||
        !ScanChar(s, '.') || !ScanNumber(s, 1, rule->week) || !ScanChar(s, '.') ||
        !ScanNumber(s, 1, rule->weekday))
      return std::nullopt;
    if (ScanChar(s, '/') && !ScanClock(s, rule->second)) return std::nullopt;
    if (rule->month < 1 || rule->month > 12 || rule->week < 1 || rule->week > 5 ||
        rule->weekday > 6)
      return std::nullopt;
  }
  return tail;
}

Result<std::shared_ptr<const Zone>> Zone::FromTzif(std::string_view content) {
  const auto bad = [] { return Fail(ErrorCode::kParse, "not a time zone file"); };
  Reader in{content};
  Counts c{};
  char version = 0;
  if (!ReadHeader(in, c, version)) return bad();
  std::size_t time_size = 4;
  if (version >= '2') {
    in.Take(c.Size(4));
    if (!ReadHeader(in, c, version)) return bad();
    time_size = 8;
  }
  auto zone = std::make_shared<Zone>();
  for (std::size_t i = 0; i < c.times; ++i) zone->moments_.push_back(in.Number(time_size));
  const std::string_view kinds = in.Take(c.times);
  std::vector<int> types;
  for (std::size_t i = 0; i < c.types; ++i) {
    types.push_back(static_cast<int>(in.Number(4)));
    in.Take(2);
  }
  in.Take(c.chars + c.leap * (time_size + 4) + c.standard + c.utc);
  if (!in.ok || types.empty()) return bad();
  zone->first_ = types[0];
  for (const char kind : kinds) {
    const auto k = static_cast<unsigned char>(kind);
    if (k >= types.size()) return bad();
    zone->offsets_.push_back(types[k]);
  }
  if (version >= '2' && in.rest.size() > 2 && in.rest[0] == '\n')
    zone->tail_ = ParseTail(in.rest.substr(1, in.rest.find('\n', 1) - 1));
  return zone;
}

Result<std::shared_ptr<const Zone>> Zone::Load(std::string_view name, std::string_view directory) {
  auto fixed = std::make_shared<Zone>();
  if (name == "UTC" || name == "Z" || name == "GMT" || name.empty()) return fixed;
  if (name[0] == '+' || name[0] == '-') {
    std::string_view rest = name;
    if (!ScanOffset(rest, fixed->first_) || !rest.empty())
      return Fail(ErrorCode::kInvalidArgument,
                  "not an offset from UTC: \"" + std::string(name) + "\"");
    return fixed;
  }
  std::string path = "/etc/localtime";
  if (name != "local") {
    const bool plain = std::all_of(name.begin(), name.end(), [](char ch) {
      return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || IsDigit(ch) || ch == '_' ||
             ch == '-' || ch == '+' || ch == '/';
    });
    if (!plain || name[0] == '/')
      return Fail(ErrorCode::kInvalidArgument, "not a time zone: \"" + std::string(name) + "\"");
    path = std::string(directory) + "/" + std::string(name);
  }
  std::ifstream in(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  if (content.empty()) {
    if (name == "local") return fixed;  // As libc does: no file is UTC.
    return Fail(ErrorCode::kNotFound, "the time zone database has no \"" + std::string(name) +
                                          "\" (write it as in \"Europe/Berlin\"; is the package "
                                          "tzdata installed?)");
  }
  auto zone = FromTzif(content);
  if (!zone) return tl::make_unexpected(std::move(zone).error().Within(path));
  return zone;
}

int Zone::TailOffset(std::int64_t t) const {
  const Tail& tail = *tail_;
  if (!tail.changes) return tail.standard;
  const std::int64_t year = ToCivil(t + tail.standard).year;
  const std::int64_t start = tail.to_daylight.LocalSecond(year) - tail.standard;
  const std::int64_t end = tail.to_standard.LocalSecond(year) - tail.daylight;
  // In the south the daylight time lies around the new year.
  const bool daylight = start < end ? t >= start && t < end : t >= start || t < end;
  return daylight ? tail.daylight : tail.standard;
}

int Zone::OffsetAt(std::int64_t t) const {
  if (moments_.empty() || t < moments_.front()) {
    return moments_.empty() && tail_ ? TailOffset(t) : first_;
  }
  if (t >= moments_.back() && tail_) return TailOffset(t);
  const auto after = std::upper_bound(moments_.begin(), moments_.end(), t);
  return offsets_[static_cast<std::size_t>(after - moments_.begin()) - 1];
}

std::int64_t Zone::ToUnix(std::int64_t local) const {
  // The offsets a day before and a day after are all there can be around one change.
  const int before = OffsetAt(local - kSecondsPerDay), after = OffsetAt(local + kSecondsPerDay);
  const std::int64_t early = local - before;
  if (before == after || OffsetAt(early) == before) return early;
  const std::int64_t late = local - after;
  return OffsetAt(late) == after ? late : early;
}

}  // namespace millrace::time
