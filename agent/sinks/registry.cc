// Every sink the configuration can name.
#include "agent/core/registry.h"

#include <array>

namespace millrace::agent {
namespace {
// clang-format off
constexpr std::array<Entry<Sink>, 0> kSinks = {
};
// clang-format on
}  // namespace

std::span<const Entry<Sink>> Sinks() { return kSinks; }

}  // namespace millrace::agent
