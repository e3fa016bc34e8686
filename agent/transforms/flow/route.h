#pragma once
// Transforms that decide where events go: filter, route, exclusive_route.
#include <map>
#include <string>
#include <vector>

#include "agent/core/component.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct FilterConfig {
  std::string condition;
};
void Visit(config::Visitor& v, FilterConfig& c);
Result<std::unique_ptr<Transform>> MakeFilter(const FilterConfig& c, const Context& context);

struct RouteConfig {
  std::map<std::string, std::string> route;
  bool reroute_unmatched = true;
  [[nodiscard]] std::vector<std::string> OutputNames() const;
};
void Visit(config::Visitor& v, RouteConfig& c);
Result<std::unique_ptr<Transform>> MakeRoute(const RouteConfig& c, const Context& context);

struct ExclusiveRouteConfig {
  struct Branch {
    std::string name, condition;
  };
  std::vector<Branch> routes;
  [[nodiscard]] std::vector<std::string> OutputNames() const;
};
void Visit(config::Visitor& v, ExclusiveRouteConfig::Branch& c);
void Visit(config::Visitor& v, ExclusiveRouteConfig& c);
Result<std::unique_ptr<Transform>> MakeExclusiveRoute(const ExclusiveRouteConfig& c,
                                                      const Context& context);

}  // namespace millrace::agent
