#include "common/exposition/writer.h"

#include <cmath>
#include <limits>

#include "common/exposition/number.h"
#include "tests/support/catch.h"

using namespace millrace::exposition;

namespace {

std::string Go(double v) {
  char out[kMaxNumber];
  return {out, WriteGoFloat(out, v)};
}
std::string OpenMetrics(double v) {
  char out[kMaxNumber];
  return {out, WriteOpenMetricsFloat(out, v)};
}

template <class Write>
std::string Exposed(Format format, Write&& write) {
  MetricWriter w;
  w.Reset(format);
  write(w);
  Assembler a;
  a.Begin(format);
  a.Add(w);
  std::string out;
  a.Finish(out);
  return out;
}

}  // namespace

TEST_CASE("numbers look like Go's") {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<std::pair<double, std::string>> cases = {
      {0, "0"},
      {-0.0, "-0"},
      {1, "1"},
      {-1, "-1"},
      {100, "100"},
      {999999, "999999"},
      {1e6, "1e+06"},
      {1234567, "1.234567e+06"},
      {21e6, "2.1e+07"},
      {123456.789, "123456.789"},
      {1234567.891, "1.234567891e+06"},
      {0.1, "0.1"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {0.000123, "0.000123"},
      {1e21, "1e+21"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
      {5e-324, "5e-324"},
      {18446744073709551615.0, "1.8446744073709552e+19"},
      {9007199254740992.0, "9.007199254740992e+15"},
      {9007199254740991.0, "9.007199254740991e+15"},
      {-2.5e-7, "-2.5e-07"},
      {inf, "+Inf"},
      {-inf, "-Inf"},
      {std::nan(""), "NaN"}};
  for (const auto& [value, text] : cases) CHECK(Go(value) == text);
  CHECK(OpenMetrics(1) == "1.0");
  CHECK(OpenMetrics(1e6) == "1e+06");
  CHECK(OpenMetrics(0.5) == "0.5");
  CHECK(OpenMetrics(inf) == "+Inf");
  CHECK(OpenMetrics(std::nan("")) == "NaN");
}

TEST_CASE("families are sorted, joined and appear once") {
  CHECK(Exposed(Format::kText,
                [](MetricWriter& w) {
                  w.Family("b_total", MetricType::kCounter, "B.");
                  w.Sample({{"x", "1"}}, 1);
                  w.Family("unused", MetricType::kGauge, "Nothing.");
                  w.Gauge("a", "A.", 0.5);
                  w.Family("b_total", MetricType::kCounter, "Another help.");
                  w.Sample({{"x", "2"}, {"y", ""}}, 2e6);
                }) ==
        "# HELP a A.\n# TYPE a gauge\na 0.5\n"
        "# HELP b_total B.\n# TYPE b_total counter\nb_total{x=\"1\"} 1\n"
        "b_total{x=\"2\",y=\"\"} 2e+06\n");
}

TEST_CASE("a family with two types keeps the first") {
  MetricWriter one;
  MetricWriter two;
  one.Reset(Format::kText);
  two.Reset(Format::kText);
  one.Gauge("a", "A.", 1);
  two.Counter("a", "A.", 2);
  Assembler a;
  a.Begin(Format::kText);
  a.Add(one);
  a.Add(two);
  std::string out;
  a.Finish(out);
  CHECK(out == "# HELP a A.\n# TYPE a gauge\na 1\n");
  CHECK(a.conflicts() == 1);
}

TEST_CASE("a family with a bad name is left out and counted") {
  MetricWriter w;
  w.Reset(Format::kText);
  for (const std::string_view name : {"", "1a", "a b", "a\xff", "a{"}) {
    w.Family(name, MetricType::kGauge, "");
    w.Sample(1);
  }
  CHECK(w.rejected() == 5);
  CHECK(w.samples() == 0);
  w.Gauge("fine", "", 1);
  CHECK(w.samples() == 1);
}

TEST_CASE("escaping") {
  CHECK(Exposed(Format::kText,
                [](MetricWriter& w) {
                  w.Family("a", MetricType::kUntyped, "back\\slash \"quote\" new\nline");
                  w.Sample({{"l", "C:\\ \"q\" \n \xC3\xA9 \xFF."}}, 1);
                }) ==
        "# HELP a back\\\\slash \"quote\" new\\nline\n# TYPE a untyped\n"
        "a{l=\"C:\\\\ \\\"q\\\" \\n \xC3\xA9 \xEF\xBF\xBD.\"} 1\n");
}

TEST_CASE("OpenMetrics: counters without suffix, unknown, end") {
  CHECK(Exposed(Format::kOpenMetrics,
                [](MetricWriter& w) {
                  w.Counter("a_total", "say \"a\"", 3);
                  w.Counter("b", "B.", 1);
                  w.Family("c", MetricType::kUntyped, "");
                  w.Sample(2);
                }) ==
        "# HELP a say \\\"a\\\"\n# TYPE a counter\na_total 3.0\n"
        "# HELP b B.\n# TYPE b unknown\nb 1.0\n# TYPE c unknown\nc 2.0\n# EOF\n");
}

TEST_CASE("histograms and summaries as text") {
  const Label labels[] = {{"x", "1"}};
  const Point buckets[] = {{0.5, 1}, {1, 3}};
  const Point quantiles[] = {{0.99, 7}};
  CHECK(Exposed(Format::kText,
                [&](MetricWriter& w) {
                  w.Family("h", MetricType::kHistogram, "H.");
                  w.Histogram(labels, buckets, 2.5, 4);
                  w.Family("s", MetricType::kSummary, "S.");
                  w.Summary({}, quantiles, 9, 2);
                }) ==
        "# HELP h H.\n# TYPE h histogram\nh_bucket{x=\"1\",le=\"0.5\"} 1\n"
        "h_bucket{x=\"1\",le=\"1\"} 3\nh_bucket{x=\"1\",le=\"+Inf\"} 4\nh_sum{x=\"1\"} 2.5\n"
        "h_count{x=\"1\"} 4\n# HELP s S.\n# TYPE s summary\ns{quantile=\"0.99\"} 7\ns_sum 9\n"
        "s_count 2\n");
}

TEST_CASE("protobuf: length, name, help, type, metric") {
  const std::string out = Exposed(Format::kProtobuf, [](MetricWriter& w) {
    w.Family("ab", MetricType::kGauge, "H");
    w.Sample({{"n", "v"}}, 1.0);
  });
  // As protoc --decode shows it: name "ab", help "H", type GAUGE, metric {label {n, v} gauge {1}}.
  const std::string metric = std::string("\x0a\x06\x0a\x01n\x12\x01v", 8) +
                             std::string("\x12\x09\x09\0\0\0\0\0\0\xf0\x3f", 11);
  const std::string family = std::string("\x0a\x02") + "ab" + std::string("\x12\x01H\x18\x01", 5) +
                             "\x22" + static_cast<char>(metric.size()) + metric;
  CHECK(out == static_cast<char>(family.size()) + family);
}
