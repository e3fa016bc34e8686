#pragma once
// Reads the text format 0.0.4: what cron jobs leave in the textfile collector's directory.
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/exposition/writer.h"

namespace millrace::exposition {

/// One series. Of a histogram or a summary: all of its lines, with the point's label taken off.
struct ParsedSeries {
  std::vector<std::pair<std::string, std::string>> labels;  ///< In order of names.
  double value = 0;
  std::vector<Point> points;  ///< Buckets or quantiles, as they came.
  double sum = 0, count = 0;
};

struct ParsedFamily {
  std::string name, help;
  bool has_help = false, typed = false;
  MetricType type = MetricType::kUntyped;
  std::vector<ParsedSeries> series;
};

/// All of `text` or an error that starts with "line N: ". Samples with a timestamp are an error,
/// because it would be older at every scrape.
[[nodiscard]] Result<std::vector<ParsedFamily>> ParseText(std::string_view text);

}  // namespace millrace::exposition
