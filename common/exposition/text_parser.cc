#include "common/exposition/text_parser.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

#include "common/base/strings.h"
#include "common/exposition/utf8.h"

namespace millrace::exposition {
namespace {

bool IsNameChar(char c, bool first, bool colons) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  return letter || (c == ':' && colons) || (!first && c >= '0' && c <= '9');
}

// Takes a metric or label name off `rest`; empty when there is none.
std::string_view TakeName(std::string_view& rest, bool colons) {
  std::size_t n = 0;
  while (n < rest.size() && IsNameChar(rest[n], n == 0, colons)) ++n;
  const std::string_view name = rest.substr(0, n);
  rest.remove_prefix(n);
  return name;
}

void SkipBlanks(std::string_view& rest) {
  while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
}

std::string_view TakeWord(std::string_view& rest) {
  SkipBlanks(rest);
  const auto end = std::min(rest.find_first_of(" \t"), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  return word;
}

bool IsUtf8(std::string_view s) {
  while (!s.empty()) {
    const std::size_t n = Utf8SequenceLength(s);
    if (n == 0) return false;
    s.remove_prefix(n);
  }
  return true;
}

// Go's ParseFloat as far as metrics use it.
std::optional<double> ParseValue(std::string_view text) {
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  if (EqualsIgnoreCase(digits, "nan")) return std::nan("");
  if (EqualsIgnoreCase(digits, "inf") || EqualsIgnoreCase(digits, "infinity"))
    return negative ? -std::numeric_limits<double>::infinity()
                    : std::numeric_limits<double>::infinity();
  if (digits.empty() || digits[0] == '-') return std::nullopt;
  const auto value = ParseNumber<double>(digits);
  if (!value) return std::nullopt;
  return negative ? -*value : *value;
}

std::string_view SuffixOf(MetricType type, std::string_view name) {
  for (const std::string_view suffix : {"_bucket", "_sum", "_count"})
    if (name.ends_with(suffix) && (type == MetricType::kHistogram || suffix != "_bucket"))
      return suffix;
  return {};
}

class Parser {
 public:
  Result<std::vector<ParsedFamily>> Run(std::string_view text) {
    // Half a line at the end is a file that is being written.
    if (!text.empty() && text.back() != '\n')
      return Fail(ErrorCode::kParse,
                  "line " + std::to_string(1 + std::count(text.begin(), text.end(), '\n')) +
                      ": the last line does not end");
    while (!text.empty()) {
      ++line_;
      const auto end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      SkipBlanks(line);
      if (line.empty()) continue;
      MILLRACE_TRY(line[0] == '#' ? Comment(line.substr(1)) : Sample(line));
    }
    return std::move(families_);
  }

 private:
  [[nodiscard]] tl::unexpected<Error> Bad(const std::string& what, std::string_view text) const {
    return Fail(ErrorCode::kParse,
                "line " + std::to_string(line_) + ": " + what + " \"" + Printable(text, 80) + "\"");
  }

  Status Comment(std::string_view rest) {
    const std::string_view keyword = TakeWord(rest);
    if (keyword != "HELP" && keyword != "TYPE") return {};
    SkipBlanks(rest);
    const std::string_view name = TakeName(rest, true);
    if (name.empty()) return Bad("bad metric name", rest);
    ParsedFamily& family = FamilyOf(name);
    if (keyword == "HELP") return Help(family, rest);
    const std::string_view type = TakeWord(rest);
    if (family.typed) return Bad("second TYPE of", name);
    if (!family.series.empty()) return Bad("TYPE after samples of", name);
    family.typed = true;
    static constexpr std::pair<std::string_view, MetricType> kTypes[] = {
        {"counter", MetricType::kCounter},
        {"gauge", MetricType::kGauge},
        {"summary", MetricType::kSummary},
        {"histogram", MetricType::kHistogram},
        {"untyped", MetricType::kUntyped}};
    for (const auto& [text, value] : kTypes)
      if (EqualsIgnoreCase(text, type)) {
        family.type = value;
        return {};
      }
    return Bad("unknown type", type);
  }

  Status Help(ParsedFamily& family, std::string_view rest) {
    if (family.has_help) return Bad("second HELP of", family.name);
    SkipBlanks(rest);
    family.has_help = true;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      if (rest[i] != '\\') {
        family.help += rest[i];
        continue;
      }
      if (++i == rest.size() || (rest[i] != 'n' && rest[i] != '\\'))
        return Bad("bad escape in", rest);
      family.help += rest[i] == 'n' ? '\n' : '\\';
    }
    return IsUtf8(rest) ? Status() : Bad("not UTF-8:", rest);
  }

  Status Sample(std::string_view line) {
    std::string_view rest = line;
    const std::string_view name = TakeName(rest, true);
    if (name.empty()) return Bad("bad metric name", line);
    std::vector<std::pair<std::string, std::string>> labels;
    SkipBlanks(rest);
    if (rest.starts_with('{')) {
      rest.remove_prefix(1);
      MILLRACE_TRY(Labels(rest, labels));
    }
    const std::string_view word = TakeWord(rest);
    const auto value = ParseValue(word);
    if (!value) return Bad("bad value", word);
    if (!TakeWord(rest).empty()) return Bad("a timestamp is not allowed:", line);
    return Add(name, std::move(labels), *value);
  }

  Status Labels(std::string_view& rest, std::vector<std::pair<std::string, std::string>>& labels) {
    for (;;) {
      SkipBlanks(rest);
      if (rest.starts_with('}')) {
        rest.remove_prefix(1);
        break;
      }
      const std::string_view name = TakeName(rest, false);
      SkipBlanks(rest);
      if (name.empty() || name == "__name__" || !rest.starts_with('='))
        return Bad("bad label at", rest);
      rest.remove_prefix(1);
      SkipBlanks(rest);
      std::string value;
      MILLRACE_TRY(Quoted(rest, value));
      labels.emplace_back(name, std::move(value));
      SkipBlanks(rest);
      if (rest.starts_with(',')) {
        rest.remove_prefix(1);
      } else if (!rest.starts_with('}')) {
        return Bad("expected , or } at", rest);
      }
    }
    std::sort(labels.begin(), labels.end());
    for (std::size_t i = 1; i < labels.size(); ++i)
      if (labels[i].first == labels[i - 1].first) return Bad("label twice:", labels[i].first);
    return {};
  }

  Status Quoted(std::string_view& rest, std::string& value) {
    if (!rest.starts_with('"')) return Bad("expected a quote at", rest);
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == '"') {
        rest.remove_prefix(i + 1);
        return IsUtf8(value) ? Status() : Bad("not UTF-8:", value);
      }
      if (rest[i] != '\\') {
        value += rest[i];
        continue;
      }
      if (++i == rest.size()) break;
      if (rest[i] != 'n' && rest[i] != '\\' && rest[i] != '"') return Bad("bad escape in", rest);
      value += rest[i] == 'n' ? '\n' : rest[i];
    }
    return Bad("unterminated label value", rest);
  }

  ParsedFamily& FamilyOf(std::string_view name) {
    const auto [found, added] = index_.try_emplace(std::string(name), families_.size());
    if (added) families_.emplace_back().name = name;
    return families_[found->second];
  }

  // The histogram or summary that a line of this name belongs to, or nullptr.
  ParsedFamily* Compound(std::string_view name, std::string_view& suffix) {
    for (const MetricType type : {MetricType::kHistogram, MetricType::kSummary}) {
      suffix = SuffixOf(type, name);
      if (suffix.empty()) continue;
      const auto found = index_.find(std::string(name.substr(0, name.size() - suffix.size())));
      if (found != index_.end() && families_[found->second].type == type)
        return &families_[found->second];
    }
    suffix = {};
    return nullptr;
  }

  Status Add(std::string_view name, std::vector<std::pair<std::string, std::string>> labels,
             double value) {
    std::string_view suffix;
    ParsedFamily* family = index_.contains(std::string(name)) ? nullptr : Compound(name, suffix);
    if (family == nullptr) family = &FamilyOf(name);
    const bool histogram = family->type == MetricType::kHistogram;
    const bool summary = family->type == MetricType::kSummary;
    if (!histogram && !summary) {
      ParsedSeries& s = family->series.emplace_back();
      s.labels = std::move(labels);
      s.value = value;
      return {};
    }
    std::optional<double> bound;
    const std::string_view point_label = histogram ? "le" : "quantile";
    const auto at = std::find_if(labels.begin(), labels.end(),
                                 [&](const auto& l) { return l.first == point_label; });
    if (at != labels.end()) {
      bound = ParseValue(at->second);
      if (!bound) return Bad("bad bound", at->second);
      labels.erase(at);
    }
    ParsedSeries& s = SeriesOf(*family, std::move(labels));
    if (suffix == "_sum") {
      s.sum = value;
    } else if (suffix == "_count") {
      s.count = value;
    } else if (!bound || (histogram && suffix != "_bucket")) {
      return Bad("no bound in", name);
    } else if (!histogram || !std::isinf(*bound)) {
      s.points.push_back({*bound, value});
    }
    return {};
  }

  static ParsedSeries& SeriesOf(ParsedFamily& family,
                                std::vector<std::pair<std::string, std::string>> labels) {
    // Lines of one series stand together, so the search nearly always ends at once.
    for (auto s = family.series.rbegin(); s != family.series.rend(); ++s)
      if (s->labels == labels) return *s;
    ParsedSeries& s = family.series.emplace_back();
    s.labels = std::move(labels);
    return s;
  }

  std::size_t line_ = 0;
  std::vector<ParsedFamily> families_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace

Result<std::vector<ParsedFamily>> ParseText(std::string_view text) { return Parser().Run(text); }

}  // namespace millrace::exposition
