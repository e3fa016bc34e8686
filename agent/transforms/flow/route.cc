#include "agent/transforms/flow/route.h"

#include <algorithm>

#include "agent/route/expression.h"

namespace millrace::agent {
namespace {

constexpr std::string_view kUnmatched = "_unmatched";

Result<Condition> CompileCondition(const std::string& text) {
  auto compiled = Condition::Compile(text);
  if (!compiled) return Fail(ErrorCode::kInvalidArgument, "condition: " + compiled.error().what);
  return std::move(*compiled);
}

class Filter final : public Transform {
 public:
  Filter(Condition condition, std::shared_ptr<Metrics> metrics)
      : condition_(std::move(condition)), metrics_(std::move(metrics)) {}
  void Apply(EventBatch& batch) override {
    std::size_t dropped = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (condition_.Matches(batch, batch.event(i))) continue;
      batch.Drop(i);
      ++dropped;
    }
    if (dropped != 0) metrics_->Discarded("filtered", true).Add(static_cast<double>(dropped));
  }
  std::unique_ptr<Transform> Clone() const override { return std::make_unique<Filter>(*this); }

 private:
  Condition condition_;
  std::shared_ptr<Metrics> metrics_;
};

/// Outputs are 1, 2, ... in the order of the names; the last one is for what matched nothing.
class Route final : public Transform {
 public:
  Route(std::vector<Condition> conditions, std::vector<std::string> outputs, bool exclusive,
        bool unmatched, std::shared_ptr<Metrics> metrics)
      : conditions_(std::move(conditions)),
        outputs_(std::move(outputs)),
        exclusive_(exclusive),
        unmatched_(unmatched),
        metrics_(std::move(metrics)) {}

  void Apply(EventBatch& batch) override {
    std::size_t dropped = 0;
    bool several = false;
    places_.clear();
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      std::uint16_t matches = 0;
      for (std::size_t k = 0; k < conditions_.size(); ++k) {
        if (!conditions_[k].Matches(batch, batch.event(i))) continue;
        places_.push_back({i, static_cast<std::uint16_t>(k + 1)});
        ++matches;
        if (exclusive_) break;
      }
      several = several || matches > 1;
      if (matches != 0) continue;
      if (unmatched_) {
        places_.push_back({i, static_cast<std::uint16_t>(outputs_.size())});
      } else {
        batch.Drop(i);
        ++dropped;
      }
    }
    if (several) {
      batch.Spread(places_);
    } else {
      for (const EventBatch::Place& p : places_) batch.event(p.index).output = p.output;
    }
    if (dropped != 0) metrics_->Discarded("unmatched", true).Add(static_cast<double>(dropped));
  }
  std::span<const std::string> outputs() const override { return outputs_; }
  std::unique_ptr<Transform> Clone() const override { return std::make_unique<Route>(*this); }

 private:
  std::vector<Condition> conditions_;
  std::vector<std::string> outputs_;
  bool exclusive_, unmatched_;
  std::shared_ptr<Metrics> metrics_;
  std::vector<EventBatch::Place> places_;
};

/// A name becomes part of an input ("router.errors"), so it is one word.
std::string NameFault(const std::string& name) {
  if (name == kUnmatched) return "the output \"_unmatched\" is there by itself";
  const bool word = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return word ? "" : "an output's name consists of letters, digits, \"_\" and \"-\"";
}

}  // namespace

void Visit(config::Visitor& v, FilterConfig& c) {
  v.Field("condition", c.condition, "Events for which it is true go on; the others are dropped.")
      .Required()
      .NotEmpty();
  CheckCondition(v, "condition", c.condition);
}

Result<std::unique_ptr<Transform>> MakeFilter(const FilterConfig& c, const Context& context) {
  MILLRACE_ASSIGN(Condition condition, CompileCondition(c.condition));
  return std::make_unique<Filter>(std::move(condition), context.metrics);
}

std::vector<std::string> RouteConfig::OutputNames() const {
  std::vector<std::string> names;
  for (const auto& [name, condition] : route) names.push_back(name);
  if (reroute_unmatched) names.emplace_back(kUnmatched);
  return names;
}

void Visit(config::Visitor& v, RouteConfig& c) {
  v.Field("route", c.route,
          "Name of an output and the condition under which an event goes there. An event goes to "
          "every output whose condition is true; one that matches none goes to `_unmatched`.")
      .Required()
      .NotEmpty();
  v.Field("reroute_unmatched", c.reroute_unmatched,
          "There is an output `_unmatched`; otherwise events that match nothing are dropped.");
  if (v.describing() || !v.Has("route") || !v.node()["route"].IsMap()) return;
  for (const auto& item : v.node()["route"]) {
    if (!item.first.IsScalar()) continue;
    const std::string& name = item.first.Scalar();
    if (std::string why = NameFault(name); !why.empty())
      v.ComplainAt(item.first, "route", std::move(why));
    if (item.second.IsScalar())
      CheckConditionAt(v, item.second, v.path() + ".route." + name, item.second.Scalar());
  }
}

Result<std::unique_ptr<Transform>> MakeRoute(const RouteConfig& c, const Context& context) {
  std::vector<Condition> conditions;
  for (const auto& [name, text] : c.route) {
    MILLRACE_ASSIGN(Condition condition, CompileCondition(text));
    conditions.push_back(std::move(condition));
  }
  return std::make_unique<Route>(std::move(conditions), c.OutputNames(), false, c.reroute_unmatched,
                                 context.metrics);
}

std::vector<std::string> ExclusiveRouteConfig::OutputNames() const {
  std::vector<std::string> names;
  for (const Branch& branch : routes) names.push_back(branch.name);
  names.emplace_back(kUnmatched);
  return names;
}

void Visit(config::Visitor& v, ExclusiveRouteConfig::Branch& c) {
  v.Field("name", c.name, "Name of the output.").Required().Check(NameFault);
  v.Field("condition", c.condition, "Events for which it is true go there.").Required().NotEmpty();
  CheckCondition(v, "condition", c.condition);
}

void Visit(config::Visitor& v, ExclusiveRouteConfig& c) {
  v.Field("routes", c.routes,
          "An event goes to the first output whose condition is true; one that matches none goes "
          "to `_unmatched`.")
      .Required()
      .NotEmpty();
  for (std::size_t i = 0; i < c.routes.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (c.routes[i].name == c.routes[k].name && !v.describing())
        v.ComplainAt(v.node()["routes"][i], "routes",
                     "the name \"" + c.routes[i].name + "\" stands here twice");
}

Result<std::unique_ptr<Transform>> MakeExclusiveRoute(const ExclusiveRouteConfig& c,
                                                      const Context& context) {
  std::vector<Condition> conditions;
  for (const ExclusiveRouteConfig::Branch& branch : c.routes) {
    MILLRACE_ASSIGN(Condition condition, CompileCondition(branch.condition));
    conditions.push_back(std::move(condition));
  }
  return std::make_unique<Route>(std::move(conditions), c.OutputNames(), true, true,
                                 context.metrics);
}

}  // namespace millrace::agent
