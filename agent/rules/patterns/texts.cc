#include <array>

#include "agent/rules/patterns/patterns.h"

namespace millrace::agent::patterns {

std::span<const std::string_view> Texts(GrokNames names) {
  static const std::array<std::string_view, 2> kLegacy = {kBase, kLegacyLines};
  static const std::array<std::string_view, 2> kEcs = {kBase, kEcsLines};
  return names == GrokNames::kLegacy ? std::span<const std::string_view>(kLegacy) : kEcs;
}

}  // namespace millrace::agent::patterns
