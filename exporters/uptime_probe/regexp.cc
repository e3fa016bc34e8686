#include "exporters/uptime_probe/regexp.h"

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/format.h>
#include <re2/re2.h>
#include <yaml-cpp/yaml.h>

#include "common/base/strings.h"

namespace millrace::uptime_probe {

struct Regexp::Compiled {
  Compiled(const std::string& pattern, const RE2::Options& options) : re(pattern, options) {}
  RE2 re;
};

Result<Regexp> Regexp::Compile(std::string pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  // The default of 8 MiB is the budget of the lazily built automaton of each direction.
  options.set_max_mem(4 << 20);
  auto compiled = std::make_shared<const Compiled>(pattern, options);
  if (!compiled->re.ok())
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("cannot compile the regular expression \"{}\": {}", Printable(pattern),
                            compiled->re.error()));
  Regexp r;
  r.pattern_ = std::move(pattern);
  r.compiled_ = std::move(compiled);
  return r;
}

bool Regexp::Matches(std::string_view text) const {
  return compiled_ != nullptr && compiled_->re.Match({text.data(), text.size()}, 0, text.size(),
                                                     RE2::UNANCHORED, nullptr, 0);
}

std::vector<std::string_view> Regexp::Find(std::string_view text) const {
  if (compiled_ == nullptr) return {};
  std::vector<re2::StringPiece> pieces(
      static_cast<std::size_t>(compiled_->re.NumberOfCapturingGroups()) + 1);
  if (!compiled_->re.Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED,
                           pieces.data(), static_cast<int>(pieces.size())))
    return {};
  std::vector<std::string_view> groups;
  groups.reserve(pieces.size());
  for (const auto& p : pieces)
    groups.push_back(p.data() == nullptr ? std::string_view()
                                         : std::string_view(p.data(), p.size()));
  return groups;
}

std::string Regexp::Expand(std::string_view pattern,
                           const std::vector<std::string_view>& groups) const {
  std::string out;
  while (!pattern.empty()) {
    const auto dollar = pattern.find('$');
    out += pattern.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    pattern.remove_prefix(dollar + 1);
    if (!pattern.empty() && pattern[0] == '$') {
      out += '$';
      pattern.remove_prefix(1);
      continue;
    }
    const bool braced = !pattern.empty() && pattern[0] == '{';
    const std::string_view from = pattern.substr(braced ? 1 : 0);
    std::size_t size = 0;
    while (size < from.size() &&
           (std::isalnum(static_cast<unsigned char>(from[size])) != 0 || from[size] == '_'))
      ++size;
    if (size == 0 || (braced && (size >= from.size() || from[size] != '}'))) {
      out += '$';
      continue;
    }
    const std::string_view name = from.substr(0, size);
    pattern = from.substr(size + (braced ? 1 : 0));
    std::size_t index = groups.size();
    if (const auto number = ParseNumber<std::size_t>(name)) {
      index = *number;
    } else {
      const auto& names = compiled_->re.NamedCapturingGroups();
      if (const auto it = names.find(std::string(name)); it != names.end())
        index = static_cast<std::size_t>(it->second);
    }
    if (index < groups.size()) out += groups[index];
  }
  return out;
}

std::string ReadYaml(const YAML::Node& n, Regexp& v) {
  if (!n.IsScalar()) return "must be a string";
  auto compiled = Regexp::Compile(n.Scalar());
  if (!compiled) return std::move(compiled).error().message;
  v = std::move(*compiled);
  return {};
}

}  // namespace millrace::uptime_probe
