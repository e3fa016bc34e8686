#include "agent/decode/access_log.h"

#include <string>

#include "agent/core/json_text.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

std::string Run(AccessFormat format, std::string_view text) {
  Arena arena;
  Decoded out;
  const std::unique_ptr<char[]> copy(new char[text.size()]);
  std::copy(text.begin(), text.end(), copy.get());
  if (const char* why = AccessLogDecoder(format).Decode({copy.get(), text.size()}, arena, out))
    return std::string("! ") + why;
  Buffer b;
  for (const Field& f : out.fields) {
    b.Append(f.name());
    b.Append('=');
    json::Append(b, Value::Of(f));
    b.Append(' ');
  }
  if (out.time_ns != 0) json::Append(b, Value::Timestamp(out.time_ns));
  return std::string(b.view());
}

TEST_CASE("nginx combined") {
  CHECK(
      Run(AccessFormat::kNginxCombined,
          R"(172.17.0.1 - alice [01/Apr/2021:12:02:31 +0200] "POST /x HTTP/1.1" 404 153 "http://l/" "Moz \"q\" 5.0")") ==
      R"(client="172.17.0.1" user="alice" request="POST /x HTTP/1.1" status=404 size=153 referer="http://l/" agent="Moz \\\"q\\\" 5.0" "2021-04-01T10:02:31Z")");
  CHECK(Run(AccessFormat::kNginxCombined, R"(- - - [-] "-" - - "-" "-")") ==
        R"(request="-" referer="-" agent="-" )");
  CHECK(
      Run(AccessFormat::kNginxCombined,
          "1.1.1.1 - - [29/Feb/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"a\" "
          "\"2.75\"\r") ==
      R"(client="1.1.1.1" request="GET / HTTP/1.1" status=200 size=1 referer="-" agent="a" compression="2.75" "2024-02-29T00:00:00Z")");
}

TEST_CASE("apache common and combined") {
  CHECK(
      Run(AccessFormat::kCommon,
          R"(127.0.0.1 bob frank [10/Oct/2000:13:55:36 -0700] "GET /a b HTTP/1.0" 200 2326)") ==
      R"(host="127.0.0.1" identity="bob" user="frank" message="GET /a b HTTP/1.0" method="GET" path="/a b" protocol="HTTP/1.0" status=200 size=2326 "2000-10-10T20:55:36Z")");
  CHECK(Run(AccessFormat::kCombined, R"(- - - [-] "-" - - - -)").empty());
}

TEST_CASE("lines that are not access logs are refused") {
  for (const char* text : {"", " ", "not a common log line", "- - - [1234] - - -",
                           R"(1.1.1.1 - - [30/Feb/2021:12:02:31 +0000] "G" 1 1)",
                           R"(1.1.1.1 - - [01/Apr/2021:25:02:31 +0000] "G" 1 1)",
                           R"(1.1.1.1 - - [01/Apr/2021:12:02:31 +0000] "G 1 1)",
                           R"(1.1.1.1 - - [01/Apr/2021:12:02:31 +0000 "G" 1 1)",
                           R"(1.1.1.1 - - [01/Apr/2021:12:02:31 +0000] "G" x 1)",
                           R"(1.1.1.1 - - [01/Apr/2021:12:02:31 +0000] "G" 1 99999999999999999999)",
                           R"(1.1.1.1 - - [01/Apr/2021:12:02:31 +0000] "G" 1 1 extra)",
                           R"(1.1.1.1 - - [01/Apr/2021:12:02:31 +0000] "G\)"}) {
    INFO(text);
    CHECK(Run(AccessFormat::kCommon, text)[0] == '!');
  }
}

}  // namespace
}  // namespace millrace::agent
