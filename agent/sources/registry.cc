// Every source the configuration can name.
#include "agent/core/registry.h"

#include <array>

namespace millrace::agent {
namespace {
// clang-format off
constexpr std::array<Entry<Source>, 0> kSources = {
};
// clang-format on
}  // namespace

std::span<const Entry<Source>> Sources() { return kSources; }

}  // namespace millrace::agent
