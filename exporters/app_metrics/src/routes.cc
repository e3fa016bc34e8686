#include "exporters/app_metrics/src/routes.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace millrace::app_metrics {
namespace {

constexpr std::array<std::string_view, kMethods> kNames = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "_OTHER"};

bool IsHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Cuts the first segment off; "/a/b" gives "a" and leaves "/b".
std::string_view NextSegment(std::string_view& rest) {
  rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(end);
  return segment;
}

}  // namespace

struct RouteTable::Node {
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals;  // sorted
  std::unique_ptr<Node> parameter;
  std::string leaf;      // the template that ends here
  std::string wildcard;  // the template that ends with /* here

  Node* Child(std::string_view segment) {
    const auto at = std::lower_bound(literals.begin(), literals.end(), segment,
                                     [](const auto& a, std::string_view b) { return a.first < b; });
    if (at != literals.end() && at->first == segment) return at->second.get();
    return literals.emplace(at, std::string(segment), std::make_unique<Node>())->second.get();
  }
  [[nodiscard]] const Node* Find(std::string_view segment) const {
    const auto at = std::lower_bound(literals.begin(), literals.end(), segment,
                                     [](const auto& a, std::string_view b) { return a.first < b; });
    return at != literals.end() && at->first == segment ? at->second.get() : nullptr;
  }
  // `depth` bounds the alternatives that a path of nothing but slashes could make us try.
  [[nodiscard]] std::string_view Match(std::string_view rest, int depth) const {
    if (rest.empty()) return leaf;
    if (depth == 0) return wildcard;
    std::string_view after = rest;
    const std::string_view segment = NextSegment(after);
    if (const Node* child = Find(segment))
      if (const auto found = child->Match(after, depth - 1); !found.empty()) return found;
    if (parameter != nullptr && !segment.empty())
      if (const auto found = parameter->Match(after, depth - 1); !found.empty()) return found;
    return wildcard;
  }
};

RouteTable::RouteTable(const std::vector<std::string>& templates)
    : root_(std::make_unique<Node>()), empty_(templates.empty()) {
  for (const std::string& t : templates) {
    if (t.empty() || t[0] != '/' || t.size() > kMaxRoute) continue;
    Node* node = root_.get();
    std::string_view rest = t;
    bool wildcard = false;
    while (!rest.empty() && !wildcard) {
      const std::string_view segment = NextSegment(rest);
      if (segment == "*" && rest.empty()) {
        node->wildcard = t;
        wildcard = true;
      } else if (segment.size() > 1 &&
                 (segment[0] == ':' || (segment[0] == '{' && segment.back() == '}'))) {
        if (node->parameter == nullptr) node->parameter = std::make_unique<Node>();
        node = node->parameter.get();
      } else {
        node = node->Child(segment);
      }
    }
    if (!wildcard) node->leaf = t;
  }
}

RouteTable::~RouteTable() = default;

std::string_view RouteTable::Match(std::string_view path) const {
  if (path.empty() || path[0] != '/') return {};
  return root_->Match(path, 32);
}

bool LooksLikeId(std::string_view s) {
  if (s.size() >= 40) return true;
  std::size_t digits = 0, hex = 0, dashes = 0;
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f || c == '%' || c == '@' || c == '=' || c == ',' || c == ';')
      return true;
    if (c >= '0' && c <= '9') ++digits;
    if (IsHex(c)) ++hex;
    if (c == '-') ++dashes;
  }
  if (digits > 0 && digits == s.size()) return true;
  if (s.size() == 36 && hex == 32 && dashes == 4) return true;
  if (s.size() >= 16 && hex == s.size()) return true;
  // "order-100234", "u8231": letters that count up are an id as well.
  return digits >= 4;
}

std::string_view GuessTemplate(std::string_view path, char* out) {
  std::size_t n = 0;
  const auto put = [&](std::string_view s) {
    s = s.substr(0, kMaxRoute - n);
    std::memcpy(out + n, s.data(), s.size());
    n += s.size();
  };
  if (path.empty() || path[0] != '/') return "/*";
  int segments = 0;
  while (!path.empty()) {
    const std::string_view segment = NextSegment(path);
    put("/");
    if (++segments > 8) {
      put("*");
      break;
    }
    put(LooksLikeId(segment) ? std::string_view("{id}") : segment);
  }
  return {out, n};
}

std::uint8_t MethodIndex(std::string_view m) {
  for (std::uint8_t i = 0; i + 1 < kMethods; ++i)
    if (kNames[i] == m) return i;
  return kMethods - 1;
}

std::string_view MethodName(std::uint8_t index) { return kNames[index]; }

std::string_view internal::TemplateFromCaptures(std::string_view path,
                                                const std::pair<std::size_t, std::size_t>* groups,
                                                std::size_t count, char* out) {
  // First the groups, then what else looks like an id. Nested groups: the outer one counts.
  char replaced[kMaxRoute];
  std::size_t n = 0, at = 0;
  const auto put = [&](std::string_view s) {
    s = s.substr(0, kMaxRoute - n);
    std::memcpy(replaced + n, s.data(), s.size());
    n += s.size();
  };
  for (std::size_t g = 0; g < count; ++g) {
    const auto [begin, end] = groups[g];
    if (begin < at || end < begin || end > path.size()) continue;
    put(path.substr(at, begin - at));
    const char name[] = {'{', static_cast<char>('1' + g), '}'};
    put({name, sizeof name});
    at = end;
  }
  put(path.substr(at));
  return GuessTemplate({replaced, n}, out);
}

}  // namespace millrace::app_metrics
