#pragma once
// Which lines belong together: a small state machine over line patterns.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <re2/re2.h>

#include "common/base/result.h"

namespace millrace::agent {

/// Immutable, thread safe. State 0 is "no message is open".
class LineRules {
 public:
  struct Rule {
    std::vector<std::string> states;  ///< In which it is tried; "start" = no message is open.
    std::string pattern;              ///< RE2, searched in the line.
    std::string next;                 ///< State after a line that matches.
    bool negate = false;              ///< Lines that do not match count as matching.
    bool last = false;                ///< The message ends with that line.
  };
  [[nodiscard]] static Result<std::shared_ptr<const LineRules>> Make(
      const std::vector<Rule>& rules);
  /// Rules for stack traces of that language; null if there is no such preset.
  [[nodiscard]] static const std::vector<Rule>* Preset(std::string_view name);
  [[nodiscard]] static std::vector<std::string_view> Presets();

  struct Step {
    bool matched = false;
    std::uint16_t state = 0;  ///< If it matched.
    bool last = false;
  };
  /// What `line` means in that state. Not matched in state 0: the line stands alone. Not matched in
  /// another: the open message is complete, and the line has to be tried in state 0.
  [[nodiscard]] Step Next(std::uint16_t state, std::string_view line) const;

 private:
  struct Compiled {
    RE2 re;
    std::uint16_t next;
    bool negate, last;
    Compiled(const std::string& pattern, const RE2::Options& options)
        : re(pattern, options), next(0), negate(false), last(false) {}
  };
  std::vector<std::unique_ptr<const Compiled>> rules_;
  std::vector<std::vector<const Compiled*>> by_state_;
};

}  // namespace millrace::agent
