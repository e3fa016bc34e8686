#include "agent/transforms/multiline/rules.h"

#include <algorithm>
#include <map>

namespace millrace::agent {

Result<std::shared_ptr<const LineRules>> LineRules::Make(const std::vector<Rule>& rules) {
  auto made = std::make_shared<LineRules>();
  std::map<std::string, std::uint16_t> states = {{"start", 0}};
  const auto number = [&](const std::string& name) {
    return states.try_emplace(name, static_cast<std::uint16_t>(states.size())).first->second;
  };
  RE2::Options options;
  options.set_log_errors(false);
  for (const Rule& rule : rules) {
    auto compiled = std::make_unique<Compiled>(rule.pattern, options);
    if (!compiled->re.ok())
      return Fail(ErrorCode::kInvalidArgument,
                  "pattern \"" + rule.pattern + "\" does not compile: " + compiled->re.error());
    if (rule.next == "start" || rule.next.empty())
      return Fail(ErrorCode::kInvalidArgument,
                  "next must name a state other than \"start\"; see last");
    compiled->next = number(rule.next);
    compiled->negate = rule.negate;
    compiled->last = rule.last;
    for (const std::string& state : rule.states) {
      const std::uint16_t n = number(state);
      made->by_state_.resize(std::max<std::size_t>(made->by_state_.size(), n + 1U));
      made->by_state_[n].push_back(compiled.get());
    }
    made->rules_.push_back(std::move(compiled));
  }
  made->by_state_.resize(std::max(made->by_state_.size(), states.size()));
  if (made->by_state_[0].empty())
    return Fail(ErrorCode::kInvalidArgument, "no rule is tried in the state \"start\"");
  return made;
}

LineRules::Step LineRules::Next(std::uint16_t state, std::string_view line) const {
  for (const Compiled* rule : by_state_[state]) {
    const bool found = RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), rule->re);
    if (found != rule->negate) return {true, rule->next, rule->last};
  }
  return {};
}

}  // namespace millrace::agent
