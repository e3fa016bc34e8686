#include "exporters/node/registry.h"

#include <array>
#include <string>

namespace millrace::node {

// An explicit table: a linker drops self-registering objects of static libraries.
#define MILLRACE_ENTRY(name) extern const CollectorEntry k##name##Collector;
#include "exporters/node/collectors.def"
#undef MILLRACE_ENTRY

namespace {

#define MILLRACE_ENTRY(name) &k##name##Collector,
constexpr auto kTable = std::to_array<const CollectorEntry*>({
#include "exporters/node/collectors.def"
});
#undef MILLRACE_ENTRY

std::string FlagName(const CollectorEntry& entry) {
  return std::string("collector.").append(entry.name);
}

std::string WithoutTrailingSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

std::span<const CollectorEntry* const> Collectors() { return kTable; }

void DeclareCollectorFlags(FlagSet& flags) {
  flags.Group("Paths of the host");
  flags.Text("path.procfs", "/proc", "Where procfs is mounted.");
  flags.Text("path.sysfs", "/sys", "Where sysfs is mounted.");
  flags.Text("path.rootfs", "/", "Where the host's root file system is mounted.");
  flags.Text("path.udev.data", "/run/udev/data", "Where udev keeps its database.");
  flags.Group("Collectors");
  flags.Switch("collector.disable-defaults", false, "Start with every collector disabled.");
  flags.Duration("collector.timeout", "5s",
                 "A collector that takes longer is reported as failed and left behind.");
  for (const CollectorEntry* entry : Collectors()) {
    flags.Group("Collector " + std::string(entry->name));
    flags.Switch(FlagName(*entry), entry->enabled_by_default,
                 std::string(entry->summary) +
                     " (default: " + (entry->enabled_by_default ? "enabled" : "disabled") + ").");
    if (entry->declare != nullptr) entry->declare(flags);
  }
}

HostPaths PathsFrom(const FlagSet& flags) {
  HostPaths p;
  p.proc = WithoutTrailingSlash(flags.GetText("path.procfs"));
  p.sys = WithoutTrailingSlash(flags.GetText("path.sysfs"));
  p.rootfs = WithoutTrailingSlash(flags.GetText("path.rootfs"));
  p.udev_data = WithoutTrailingSlash(flags.GetText("path.udev.data"));
  return p;
}

bool IsEnabled(const FlagSet& flags, const CollectorEntry& entry) {
  const std::string flag = FlagName(entry);
  if (flags.GetSwitch("collector.disable-defaults") && !flags.IsSet(flag)) return false;
  return flags.GetSwitch(flag);
}

bool IsEnabled(const FlagSet& flags, std::string_view name) {
  for (const CollectorEntry* entry : Collectors())
    if (entry->name == name) return IsEnabled(flags, *entry);
  return false;
}

}  // namespace millrace::node
