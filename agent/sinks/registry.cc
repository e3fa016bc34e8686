// Every sink the configuration can name.
#include "agent/core/registry.h"

#include <array>

#include "agent/sinks/summary/summary.h"

namespace millrace::agent {
namespace {
// clang-format off
constexpr std::array kSinks = {
    Component<Sink, SummaryConfig, &MakeSummary>("summary", "A live picture of the agent in the terminal."),
};
// clang-format on
}  // namespace

std::span<const Entry<Sink>> Sinks() { return kSinks; }

}  // namespace millrace::agent
