#include "common/time/rfc3339.h"

#include "common/time/format.h"
#include "tests/support/catch.h"

namespace millrace {
namespace {

TEST_CASE("RFC 3339 in its spellings") {
  const auto parse = [](std::string_view s) {
    const auto ns = time::ParseRfc3339(s);
    return ns ? FormatRfc3339(*ns) : std::string("none");
  };
  CHECK(parse("1970-01-01T00:00:00Z") == "1970-01-01T00:00:00Z");
  CHECK(parse("2024-02-29t23:59:60.5+01:30") == "2024-02-29T22:30:00.500Z");
  CHECK(parse("2024-02-29 12:00:00,123456789-0800") == "2024-02-29T20:00:00.123456789Z");
  CHECK(parse("1969-12-31T23:59:59.9999999999z") == "1969-12-31T23:59:59.999999999Z");
  CHECK(parse("2261-12-31T00:00:00+01") == "2261-12-30T23:00:00Z");
  for (const char* bad :
       {"", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
        "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00+25:00", "2024-01-01T00:00:00Zx", "9999-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z", "2024-1-01T00:00:00Z"})
    CHECK(parse(bad) == "none");
}

}  // namespace
}  // namespace millrace
