#include "common/exposition/text_parser.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace millrace::exposition;

TEST_CASE("text parser: families, labels, values") {
  const auto families = ParseText(
      "# a comment\n\n# HELP x Say \\\\ and \\n.\n# TYPE x gauge\nx{b=\"2\",a=\"q\\\"\\\\\\n\",} "
      "-1.5e3\nx +Inf\ny NaN\r\n");
  REQUIRE(families.has_value());
  REQUIRE(families->size() == 2);
  const ParsedFamily& x = (*families)[0];
  CHECK(x.help == "Say \\ and \n.");
  CHECK(x.type == MetricType::kGauge);
  REQUIRE(x.series.size() == 2);
  CHECK(x.series[0].labels ==
        std::vector<std::pair<std::string, std::string>>{{"a", "q\"\\\n"}, {"b", "2"}});
  CHECK(x.series[0].value == -1500);
  CHECK(std::isinf(x.series[1].value));
  CHECK(std::isnan((*families)[1].series[0].value));
  CHECK((*families)[1].type == MetricType::kUntyped);
}

TEST_CASE("text parser: the line of an error is named") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a 1\nb{ 2\n", "line 2: bad label at \"2\""},
      {"a\n", "line 1: bad value \"\""},
      {"a 1x\n", "line 1: bad value \"1x\""},
      {"9a 1\n", "line 1: bad metric name \"9a 1\""},
      {"a 1 15\n", "line 1: a timestamp is not allowed: \"a 1 15\""},
      {"a{x=\"1} 2\n", "line 1: unterminated label value"},
      {"a{x=\"1\" y=\"2\"} 2\n", "line 1: expected , or } at"},
      {"a{x=\"1\",x=\"2\"} 2\n", "line 1: label twice: \"x\""},
      {"a{x=\"\\t\"} 2\n", "line 1: bad escape in"},
      {"a{x=\"\xff\"} 2\n", "line 1: not UTF-8:"},
      {"# TYPE a gauge\n# TYPE a gauge\n", "line 2: second TYPE of \"a\""},
      {"a 1\n# TYPE a gauge\n", "line 2: TYPE after samples of \"a\""},
      {"# TYPE a thing\n", "line 1: unknown type \"thing\""},
      {"# TYPE h histogram\nh 1\n", "line 2: no bound in \"h\""},
      {"# TYPE h histogram\nh_bucket{le=\"x\"} 1\n", "line 2: bad bound \"x\""},
      {"a 1\nb 2", "line 2: the last line does not end"}};
  for (const auto& [text, message] : cases) {
    const auto families = ParseText(text);
    REQUIRE_FALSE(families.has_value());
    INFO(families.error().message);
    CHECK(families.error().message.substr(0, message.size()) == message);
  }
}
