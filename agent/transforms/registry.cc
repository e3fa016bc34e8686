// Every transform the configuration can name.
#include "agent/core/registry.h"

#include <array>

namespace millrace::agent {
namespace {
// clang-format off
constexpr std::array<Entry<Transform>, 0> kTransforms = {
};
// clang-format on
}  // namespace

std::span<const Entry<Transform>> Transforms() { return kTransforms; }

}  // namespace millrace::agent
