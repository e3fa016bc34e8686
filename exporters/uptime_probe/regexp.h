#pragma once
// Regular expressions of the configuration: RE2, whose syntax is Go's.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace YAML {
class Node;
}

namespace millrace::uptime_probe {

/// Copies share the compiled expression. Thread safe.
class Regexp {
 public:
  Regexp() = default;
  [[nodiscard]] static Result<Regexp> Compile(std::string pattern);
  [[nodiscard]] explicit operator bool() const { return compiled_ != nullptr; }
  [[nodiscard]] const std::string& pattern() const { return pattern_; }
  [[nodiscard]] bool Matches(std::string_view text) const;
  /// The whole match and its groups (data() == nullptr for a group that took no part), or empty.
  [[nodiscard]] std::vector<std::string_view> Find(std::string_view text) const;
  /// Puts $1, ${1}, $name, ${name} of a match into `pattern`, by Go's rules ($1x is the name "1x",
  /// unknown names are empty, "$$" is a dollar).
  [[nodiscard]] std::string Expand(std::string_view pattern,
                                   const std::vector<std::string_view>& groups) const;

 private:
  struct Compiled;
  std::string pattern_;
  std::shared_ptr<const Compiled> compiled_;
};

std::string ReadYaml(const YAML::Node& n, Regexp& v);

}  // namespace millrace::uptime_probe
