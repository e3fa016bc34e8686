#pragma once
// Takes everything and writes nothing: for tests, benchmarks and switched-off outputs.
#include <memory>

#include "agent/core/component.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct BlackholeConfig {
  std::chrono::milliseconds print_interval{0};
};
void Visit(config::Visitor& v, BlackholeConfig& c);
[[nodiscard]] Result<std::unique_ptr<Sink>> MakeBlackhole(const BlackholeConfig& config,
                                                          const Context& context);

}  // namespace millrace::agent
