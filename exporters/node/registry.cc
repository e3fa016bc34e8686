#include "exporters/node/registry.h"

#include <array>
#include <string>

// An explicit table: a linker drops self-registering objects of static libraries. One line a
// collector, in order of names; collectors/<name>.cc defines k<Name>Collector.
#define MILLRACE_COLLECTORS(X) \
  X(Arp) \
  X(Bcache) \
  X(Bcachefs) \
  X(Bonding) \
  X(Btrfs) \
  X(Buddyinfo) \
  X(Cgroups) \
  X(Conntrack) \
  X(Cpu) \
  X(CpuVulnerabilities) \
  X(Cpufreq) \
  X(Diskstats) \
  X(Dmi) \
  X(Dmmultipath) \
  X(Drbd) \
  X(Drm) \
  X(Edac) \
  X(Entropy) \
  X(Ethtool) \
  X(Fibrechannel) \
  X(Filefd) \
  X(Filesystem) \
  X(Hwmon) \
  X(Infiniband) \
  X(Interrupts) \
  X(Ipvs) \
  X(KernelHung) \
  X(Ksmd) \
  X(Lnstat) \
  X(Loadavg) \
  X(Mdadm) \
  X(Meminfo) \
  X(MeminfoNuma) \
  X(Mountstats) \
  X(Netclass) \
  X(Netdev) \
  X(Netstat) \
  X(NetworkRoute) \
  X(Nfs) \
  X(Nfsd) \
  X(Nvme) \
  X(Nvmesubsystem) \
  X(Os) \
  X(Pcidevice) \
  X(PowerSupplyClass) \
  X(Pressure) \
  X(Processes) \
  X(Qdisc) \
  X(Rapl) \
  X(Runit) \
  X(Schedstat) \
  X(Selinux) \
  X(Slabinfo) \
  X(Sockstat) \
  X(Softirqs) \
  X(Softnet) \
  X(Stat) \
  X(Swap) \
  X(Sysctl) \
  X(Tapestats) \
  X(Tcpstat) \
  X(Textfile) \
  X(ThermalZone) \
  X(Time) \
  X(Timex) \
  X(UdpQueues) \
  X(Uname) \
  X(Vmstat) \
  X(Watchdog) \
  X(Wifi) \
  X(Xfrm) \
  X(Xfs) \
  X(Zfs) \
  X(Zoneinfo)

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
