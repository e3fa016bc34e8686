#pragma once
#include <span>

#include "exporters/node/collector.h"

namespace millrace::node {

/// All collectors, by name.
[[nodiscard]] std::span<const CollectorEntry* const> Collectors();

/// --path.*, --collector.* and all that collectors declare.
void DeclareCollectorFlags(FlagSet& flags);
/// From --path.*, without trailing slashes.
[[nodiscard]] HostPaths PathsFrom(const FlagSet& flags);
/// After --collector.x, --no-collector.x and --collector.disable-defaults.
[[nodiscard]] bool IsEnabled(const FlagSet& flags, const CollectorEntry& entry);
[[nodiscard]] bool IsEnabled(const FlagSet& flags, std::string_view name);

}  // namespace millrace::node
