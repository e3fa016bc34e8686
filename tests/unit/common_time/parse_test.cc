#include "common/time/parse.h"

#include "common/time/format.h"
#include "tests/support/catch.h"

namespace millrace::time {
namespace {

constexpr std::int64_t kNow = 1767225600LL * 1000000000LL;  // 2026-01-01T00:00:00Z

std::string Parse(std::string_view format, std::string_view text, std::string_view zone = "UTC",
                  std::int64_t now = kNow) {
  auto z = Zone::Load(zone);
  if (!z) return z.error().message;
  auto p = TimeParser::Make(format, *z);
  if (!p) return p.error().message;
  const auto t = p->Parse(text, now);
  return t ? FormatRfc3339(*t) : "none";
}

TEST_CASE("named formats") {
  CHECK(Parse("rfc3339", "2024-05-06T07:08:09.5+02:00") == "2024-05-06T05:08:09.500Z");
  CHECK(Parse("iso8601", "2024-05-06 07:08:09,123", "Europe/Berlin") == "2024-05-06T05:08:09.123Z");
  CHECK(Parse("iso8601", "2024-05-06") == "2024-05-06T00:00:00Z");
  CHECK(Parse("iso8601", "2024-05-06 07:08:09 UTC") == "2024-05-06T07:08:09Z");
  CHECK(Parse("rfc2822", "Tue, 1 Jul 2003 10:52:37 +0200") == "2003-07-01T08:52:37Z");
  CHECK(Parse("rfc2822", "01 Jul 2003 10:52 GMT") == "2003-07-01T10:52:00Z");
  CHECK(Parse("unix", "1700000000") == "2023-11-14T22:13:20Z");
  CHECK(Parse("unix", "1700000000.25") == "2023-11-14T22:13:20.250Z");
  CHECK(Parse("unix_ms", "1700000000001") == "2023-11-14T22:13:20.001Z");
  CHECK(Parse("unix_ns", "1700000000000000001") == "2023-11-14T22:13:20.000000001Z");
  CHECK(Parse("unix", "-1") == "1969-12-31T23:59:59Z");
  for (const char* text : {"1700000000", "1700000000000", "1700000000000000", "1700000000000000000",
                           "2023-11-14T22:13:20Z", "Tue, 14 Nov 2023 22:13:20 +0000"})
    CHECK(Parse("auto", text) == "2023-11-14T22:13:20Z");
  for (const char* text : {"", "x", "99999999999999999999", "1.", "17000000001700000000"})
    CHECK(Parse("unix", text) == "none");
}

TEST_CASE("conversions") {
  CHECK(Parse("%d/%b/%Y:%H:%M:%S %z", "10/Oct/2000:13:55:36 -0700") == "2000-10-10T20:55:36Z");
  CHECK(Parse("%a %b %e %H:%M:%S.%f %Y", "Mon Aug  5 16:27:04.123456 2024") ==
        "2024-08-05T16:27:04.123456Z");
  CHECK(Parse("%Y-%m-%d %I:%M:%S %p", "2024-08-05 12:00:01 am") == "2024-08-05T00:00:01Z");
  CHECK(Parse("%D %T", "08/05/24 12:00:01") == "2024-08-05T12:00:01Z");
  CHECK(Parse("%F %T%.f %Z", "2024-08-05 12:00:01 CEST") == "2024-08-05T10:00:01Z");
  CHECK(Parse("%Y.%j", "2024.366") == "2024-12-31T00:00:00Z");
  CHECK(Parse("%Y.%j", "2023.366") == "none");
  CHECK(Parse("%s.%3f", "1700000000.5") == "2023-11-14T22:13:20.500Z");
  CHECK(Parse("%A, %B %d, %Y %R", "Friday, September 06, 2024 10:11") == "2024-09-06T10:11:00Z");
  CHECK(Parse("100%% %Y", "100% 2024") == "2024-01-01T00:00:00Z");
  for (const auto& [format, text] : std::initializer_list<std::pair<const char*, const char*>>{
           {"%Y-%m-%d", "2024-02-30"},
           {"%Y-%m-%d", "2024-13-01"},
           {"%Y-%m-%d", "2024-01-01x"},
           {"%Y-%m-%d %H", "2024-01-01 24"},
           {"%Y-%m-%d %I %p", "2024-01-01 13 pm"},
           {"%Y", "0001"},
           {"%Y", "9999"},
           {"%b %d", "Foo 01"}}) {
    INFO(text);
    CHECK(Parse(format, text) == "none");
  }
}

TEST_CASE("a missing year is the one that makes the time recent") {
  CHECK(Parse("%b %d %T", "Dec 31 23:59:59") == "2025-12-31T23:59:59Z");
  CHECK(Parse("%b %d %T", "Jan  1 12:00:00") == "2026-01-01T12:00:00Z");
  CHECK(Parse("%b %d %T", "Jan  3 12:00:00") == "2025-01-03T12:00:00Z");
  CHECK(Parse("%b %d %T", "Feb 29 12:00:00") == "2024-02-29T12:00:00Z");
  CHECK(Parse("%b %d %T", "Feb 30 12:00:00") == "none");
  CHECK(Parse("%H:%M", "10:30") == "2026-01-01T10:30:00Z");
}

TEST_CASE("zones by name, with and after the table of changes") {
  CHECK(Parse("%F %T", "2024-07-01 12:00:00", "Europe/Berlin") == "2024-07-01T10:00:00Z");
  CHECK(Parse("%F %T", "2024-12-01 12:00:00", "Europe/Berlin") == "2024-12-01T11:00:00Z");
  CHECK(Parse("%F %T", "2150-07-01 12:00:00", "Europe/Berlin") == "2150-07-01T10:00:00Z");
  CHECK(Parse("%F %T", "2150-01-01 12:00:00", "Australia/Sydney") == "2150-01-01T01:00:00Z");
  CHECK(Parse("%F %T", "2024-07-01 12:00:00", "America/New_York") == "2024-07-01T16:00:00Z");
  CHECK(Parse("%F %T", "2024-07-01 12:00:00", "+05:30") == "2024-07-01T06:30:00Z");
  // Skipped by the change, and twice there.
  CHECK(Parse("%F %T", "2024-03-31 02:30:00", "Europe/Berlin") == "2024-03-31T01:30:00Z");
  CHECK(Parse("%F %T", "2024-10-27 02:30:00", "Europe/Berlin") == "2024-10-27T00:30:00Z");
  CHECK(Parse("%F %T %z", "2024-07-01 12:00:00 +0000", "Europe/Berlin") == "2024-07-01T12:00:00Z");
}

TEST_CASE("what is no format or no zone is refused with a reason") {
  CHECK(Parse("yyyy", "").find("no conversion") != std::string::npos);
  CHECK(Parse("%Q", "").find("unknown conversion %Q") != std::string::npos);
  CHECK(Parse("%", "").find("unknown conversion") != std::string::npos);
  CHECK(Parse("%F", "", "Europe/Pariss").find("no \"Europe/Pariss\"") != std::string::npos);
  CHECK(Parse("%F", "", "../../etc/passwd").find("not a time zone") != std::string::npos);
  CHECK(Parse("%F", "", "+2").find("not an offset") != std::string::npos);
  CHECK_FALSE(Zone::FromTzif("TZif2 nonsense"));
  CHECK_FALSE(Zone::FromTzif(std::string("TZif2") + std::string(40, '\xff')));
}

}  // namespace
}  // namespace millrace::time
