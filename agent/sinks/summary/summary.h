#pragma once
// Sink `summary`: a live picture of the whole agent in the terminal: what each component took in
// and passed on, rates, errors, and the last events. Where standard output is not a terminal: one
// line every interval.
#include <chrono>
#include <cstdint>
#include <memory>

#include "agent/core/component.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct SummaryConfig {
  std::chrono::milliseconds interval{1000};
  std::uint32_t last_events = 8;
};
void Visit(config::Visitor& v, SummaryConfig& c);
[[nodiscard]] Result<std::unique_ptr<Sink>> MakeSummary(const SummaryConfig& config,
                                                        const Context& context);

}  // namespace millrace::agent
