#include "common/config/visitor.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include "common/base/strings.h"

namespace millrace::config {

void Problems::Add(const std::string& file, const YAML::Node& at, std::string_view path,
                   std::string what) {
  int line = 1, column = 1;
  if (at.IsDefined() && !at.Mark().is_null()) {
    line = at.Mark().line + 1;
    column = at.Mark().column + 1;
  }
  if (!path.empty()) what.insert(0, ": ").insert(0, path);
  Add(file, line, column, std::move(what));
}

void Problems::Add(const std::string& file, int line, int column, std::string what) {
  list_.push_back({file, line, column, std::move(what)});
}

std::string Problems::Text() const {
  auto sorted = list_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  std::string text;
  for (const Problem& p : sorted)
    text += fmt::format("{}:{}:{}: {}\n", p.file, p.line, p.column, p.what);
  return text;
}

Status Problems::ToStatus() const {
  if (empty()) return {};
  std::string text = Text();
  text.pop_back();
  return Fail(ErrorCode::kInvalidArgument, std::move(text));
}

std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto number = ParseNumber<double>(text.substr(0, digits));
    if (!number) return std::nullopt;
    text.remove_prefix(digits);
    const std::size_t letters = std::min(text.find_first_of("0123456789."), text.size());
    const std::string_view unit = text.substr(0, letters);
    text.remove_prefix(letters);
    const double scale = unit == "ns"                                                 ? 1
                         : unit == "us" || unit == "\xc2\xb5s" || unit == "\xce\xbcs" ? 1e3
                         : unit == "ms"                                               ? 1e6
                         : unit == "s"                                                ? 1e9
                         : unit == "m"                                                ? 60e9
                         : unit == "h"                                                ? 3600e9
                         : unit == "d"                                                ? 86400e9
                         : unit == "w"                                                ? 7 * 86400e9
                         : unit == "y" ? 365 * 86400e9
                                       : 0;
    if (scale == 0) return std::nullopt;
    total += *number * scale;
  }
  if (total > 9.2e18) return std::nullopt;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(negative ? -total : total));
}

std::optional<std::uint64_t> ParseBytes(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = ParseNumber<std::uint64_t>(text.substr(0, digits));
  if (!number) return std::nullopt;
  const std::string unit = ToLower(Trim(text.substr(digits)));
  const std::uint64_t scale = unit.empty() || unit == "b"    ? 1
                              : unit == "k" || unit == "kib" ? 1ULL << 10
                              : unit == "m" || unit == "mib" ? 1ULL << 20
                              : unit == "g" || unit == "gib" ? 1ULL << 30
                              : unit == "t" || unit == "tib" ? 1ULL << 40
                              : unit == "kb"                 ? 1000ULL
                              : unit == "mb"                 ? 1000'000ULL
                              : unit == "gb"                 ? 1000'000'000ULL
                              : unit == "tb"                 ? 1000'000'000'000ULL
                                                             : 0;
  if (scale == 0 || *number > std::numeric_limits<std::uint64_t>::max() / scale)
    return std::nullopt;
  return *number * scale;
}

namespace {

/// Puts variables into one scalar; returns what is wrong, or "".
std::string Expand(std::string& text) {
  std::string out;
  std::string_view rest = text;
  for (;;) {
    const auto at = rest.find("${");
    if (at == std::string_view::npos) break;
    if (at > 0 && rest[at - 1] == '$') {
      out += rest.substr(0, at - 1);
      out += "${";
      rest.remove_prefix(at + 2);
      continue;
    }
    const auto end = rest.find('}', at);
    if (end == std::string_view::npos)
      return "\"${\" without \"}\" (write \"$${\" for a literal one)";
    std::string_view name = rest.substr(at + 2, end - at - 2);
    std::string_view fallback;
    const auto colon = name.find(':');
    char mode = 0;
    if (colon != std::string_view::npos) {
      if (colon + 1 >= name.size() || (name[colon + 1] != '-' && name[colon + 1] != '?'))
        return "write ${NAME}, ${NAME:-default} or ${NAME:?message}";
      mode = name[colon + 1];
      fallback = name.substr(colon + 2);
      name = name.substr(0, colon);
    }
    const bool valid = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (!valid)
      return fmt::format(
          "\"{}\" is not the name of an environment variable (write \"$${{\" for a literal "
          "\"${{\")",
          name);
    const char* value = std::getenv(std::string(name).c_str());
    out += rest.substr(0, at);
    if (value != nullptr && (*value != '\0' || mode == 0)) {
      out += value;
    } else if (mode == '-') {
      out += fallback;
    } else if (mode == '?' && !fallback.empty()) {
      return fmt::format("environment variable {}: {}", name, fallback);
    } else {
      return fmt::format(
          "environment variable {} is not set (write ${{{}:-default}} to give a default)", name,
          name);
    }
    rest.remove_prefix(end + 1);
  }
  out += rest;
  text = std::move(out);
  return {};
}

void ExpandTree(YAML::Node node, const std::string& file, Problems& problems, int depth) {
  if (depth > 100) return problems.Add(file, node, "", "nested more than 100 deep");
  if (node.IsScalar()) {
    if (node.Scalar().find("${") == std::string::npos) return;
    std::string text = node.Scalar();
    if (std::string why = Expand(text); !why.empty())
      return problems.Add(file, node, "", std::move(why));
    node = text;
  } else if (node.IsSequence()) {
    for (auto item : node) ExpandTree(item, file, problems, depth + 1);
  } else if (node.IsMap()) {
    for (auto item : node) ExpandTree(item.second, file, problems, depth + 1);
  }
}

}  // namespace

namespace {

/// Counts documents and remembers where the last one begins; builds nothing.
class DocumentPlaces : public YAML::EventHandler {
 public:
  int count = 0;
  YAML::Mark last;

  void OnDocumentStart(const YAML::Mark& mark) override {
    ++count;
    last = mark;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

}  // namespace

YAML::Node Parse(const std::string& text, const std::string& file, Problems& problems) {
  // yaml-cpp recurses once a level; a hostile file must not use up the stack.
  std::size_t flow = 0;
  for (const char c : text) {
    flow += c == '[' || c == '{' ? 1U : 0U;
    if (flow > 100'000) {
      problems.Add(file, 1, 1, "too many brackets");
      return {};
    }
  }
  try {
    // Not LoadAll: yaml-cpp 0.7 makes documents without end of a file that begins with a comma.
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    DocumentPlaces places;
    while (places.count < 2 && parser.HandleNextDocument(places)) {
    }
    if (places.count > 1) {
      problems.Add(file, places.last.line + 1, places.last.column + 1,
                   "more than one YAML document in a file");
      return {};
    }
    if (places.count == 0) return {};
    YAML::Node root = YAML::Load(text);
    ExpandTree(root, file, problems, 0);
    return root;
  } catch (const YAML::Exception& e) {
    problems.Add(file, e.mark.line + 1, e.mark.column + 1, "not YAML: " + e.msg);
    return {};
  }
}

Visitor::Visitor(const YAML::Node& map, std::string file, std::string path, Problems& problems,
                 Dialect dialect)
    : file_(std::move(file)), path_(std::move(path)), problems_(&problems), dialect_(dialect) {
  if (!map.IsDefined() || map.IsNull()) return;
  if (map.IsMap()) {
    map_.reset(map);
  } else {
    Fault(map, path_, "must be a mapping");
  }
}

Visitor::~Visitor() {
  if (describing() || !map_.IsMap()) return;
  std::vector<std::string_view> names(known_.begin(), known_.end());
  std::vector<std::string> seen;
  for (const auto& kv : map_) {
    if (!kv.first.IsScalar()) {
      Fault(kv.first, path_, "a key must be a plain word");
      continue;
    }
    const std::string& key = kv.first.Scalar();
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      Fault(kv.first, path_, fmt::format("key \"{}\" stands here twice", key));
    seen.push_back(key);
    if (std::find(names.begin(), names.end(), key) == names.end())
      Fault(kv.first, path_, fmt::format("unknown key \"{}\"{}", key, DidYouMean(key, names)));
  }
}

YAML::Node Visitor::Take(const char* name) {
  known_.emplace_back(name);
  const YAML::Node& map = map_;
  if (!map.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
  YAML::Node found = map[name];
  if (dialect_.null_is_absent && found.IsDefined() && found.IsNull())
    return YAML::Node(YAML::NodeType::Undefined);
  return found;
}

Schema& Visitor::AddProperty(const char* name, const char* help) {
  auto child = std::make_unique<Schema>();
  child->help = help;
  schema_->properties.emplace_back(name, std::move(child));
  return *schema_->properties.back().second;
}

Visitor::Rules<std::chrono::milliseconds> Visitor::Seconds(const char* name,
                                                           std::chrono::milliseconds& value,
                                                           const char* help) {
  if (describing()) {
    Schema& s = AddProperty(name, help);
    DescribeDefault(s, static_cast<double>(value.count()) / 1000);
    s.minimum = 0;
    return {*this, name, value, YAML::Node(YAML::NodeType::Undefined), &s, false};
  }
  YAML::Node n = Take(name);
  const std::size_t before = problems_->size();
  if (n.IsDefined()) {
    double seconds = 0;
    LoadScalar(n, Join(name), seconds);
    if (problems_->size() == before) {
      if (seconds < 0 || seconds > 1e9 || seconds != seconds) {
        Fault(n, Join(name), "must be a number of seconds from 0 to 1000000000");
      } else {
        value = std::chrono::milliseconds(std::llround(seconds * 1000));
      }
    }
  }
  return {*this, name, value, n, nullptr, n.IsDefined() && problems_->size() == before};
}

void Visitor::Missing(const char* name) {
  Fault(map_, path_, fmt::format("missing required key \"{}\"", name));
}

void Visitor::Complain(std::string_view name, std::string what) {
  if (describing()) return;
  const YAML::Node& map = map_;
  if (!name.empty() && map.IsMap() && map[std::string(name)].IsDefined())
    return Fault(map[std::string(name)], Join(name), std::move(what));
  Fault(map_, name.empty() ? path_ : Join(name), std::move(what));
}

void Visitor::ComplainAt(const YAML::Node& at, std::string_view name, std::string what) {
  if (!describing()) Fault(at, name.empty() ? path_ : Join(name), std::move(what));
}

void Visitor::CheckRange(const YAML::Node& n, const char* name, double low, double high) {
  std::optional<double> value = ParseNumber<double>(n.Scalar());
  if (!value) {
    if (const auto bytes = ParseBytes(n.Scalar()))
      value = static_cast<double>(*bytes);
    else if (const auto time = ParseDuration(n.Scalar()))
      value = std::chrono::duration<double>(*time).count();
  }
  if (!value || (*value >= low && *value <= high)) return;
  Fault(n, Join(name),
        high == std::numeric_limits<double>::infinity()
            ? fmt::format("must be at least {}", low)
            : fmt::format("must be from {} to {}", low, high));
}

void Visitor::CheckChoice(const YAML::Node& n, const char* name,
                          std::initializer_list<std::string_view> choices) {
  std::size_t index = 0;
  const std::vector<std::string_view> list(choices);
  if (n.IsScalar()) {
    LoadEnum(n, Join(name), list, index);
  } else if (n.IsSequence()) {
    for (const auto& item : n) LoadEnum(item, Join(name), list, index);
  }
}

void Visitor::LoadScalar(const YAML::Node& n, const std::string& path, bool& v) {
  const bool quoted = dialect_.quoted_is_string && n.Tag() == "!";
  if (quoted || !n.IsScalar() || !YAML::convert<bool>::decode(n, v))
    Fault(n, path, "must be true or false");
}

void Visitor::LoadScalar(const YAML::Node& n, const std::string& path, double& v) {
  if (!n.IsScalar() || !YAML::convert<double>::decode(n, v)) Fault(n, path, "must be a number");
}

void Visitor::LoadScalar(const YAML::Node& n, const std::string& path, std::string& v) {
  if (!n.IsScalar()) return Fault(n, path, "must be a string");
  v = n.Scalar();
}

void Visitor::LoadScalar(const YAML::Node& n, const std::string& path, Duration& v) {
  const auto d = n.IsScalar() ? ParseDuration(n.Scalar()) : std::nullopt;
  if (!d) return Fault(n, path, "must be a duration with a unit, such as 500ms, 30s or 5m");
  v.value = *d;
}

void Visitor::LoadScalar(const YAML::Node& n, const std::string& path, Bytes& v) {
  const auto b = n.IsScalar() ? ParseBytes(n.Scalar()) : std::nullopt;
  if (!b) return Fault(n, path, "must be a number of bytes, such as 1048576 or 20MiB");
  v.value = *b;
}

bool Visitor::LoadInteger(const YAML::Node& n, const std::string& path, std::int64_t low,
                          std::uint64_t high, std::int64_t& negative, std::uint64_t& positive) {
  const bool quoted = dialect_.quoted_is_string && n.Tag() == "!";
  if (n.IsScalar() && !quoted) {
    const std::string& text = n.Scalar();
    if (const auto u = ParseNumber<std::uint64_t>(text); u && *u <= high) {
      positive = *u;
      return true;
    }
    if (const auto i = ParseNumber<std::int64_t>(text); i && *i < 0 && *i >= low) {
      negative = *i;
      return true;
    }
  }
  Fault(n, path,
        low == 0 ? fmt::format("must be a whole number from 0 to {}", high)
                 : "must be a whole number");
  return false;
}

bool Visitor::LoadEnum(const YAML::Node& n, const std::string& path,
                       const std::vector<std::string_view>& names, std::size_t& index) {
  if (n.IsScalar()) {
    const auto at = std::find(names.begin(), names.end(), n.Scalar());
    if (at != names.end()) {
      index = static_cast<std::size_t>(at - names.begin());
      return true;
    }
  }
  const std::string given = n.IsScalar() ? n.Scalar() : std::string();
  Fault(n, path,
        fmt::format("must be one of {}{}{}", fmt::join(names, ", "),
                    given.empty() ? "" : ", not \"" + Printable(given, 60) + "\"",
                    given.empty() ? "" : DidYouMean(given, names)));
  return false;
}

}  // namespace millrace::config
