// One collector over files of arbitrary bytes: the first byte picks the collector, the rest becomes
// the content of each of its files. Whatever is in /proc, a collector answers or fails; it never
// reads outside its buffer.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/log/log.h"
#include "exporters/node/registry.h"

namespace {

using namespace millrace;
using namespace millrace::node;

struct Case {
  std::string_view collector;
  std::vector<std::string> files;
};

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"arp", {"proc/net/arp"}},
      {"bonding", {"sys/class/net/bonding_masters"}},
      {"buddyinfo", {"proc/buddyinfo"}},
      {"conntrack",
       {"proc/net/stat/nf_conntrack", "proc/sys/net/netfilter/nf_conntrack_count",
        "proc/sys/net/netfilter/nf_conntrack_max"}},
      {"cpu", {"proc/stat", "proc/cpuinfo", "sys/devices/system/cpu/cpu0/online"}},
      {"diskstats", {"proc/diskstats", "udev/b8:0"}},
      {"filefd", {"proc/sys/fs/file-nr"}},
      {"hwmon", {"sys/class/hwmon/hwmon0/temp1_input", "sys/class/hwmon/hwmon0/name"}},
      {"interrupts", {"proc/interrupts"}},
      {"ipvs", {"proc/net/ip_vs", "proc/net/ip_vs_stats"}},
      {"loadavg", {"proc/loadavg"}},
      {"mdadm", {"proc/mdstat"}},
      {"meminfo", {"proc/meminfo"}},
      {"meminfo_numa",
       {"sys/devices/system/node/node0/meminfo", "sys/devices/system/node/node0/numastat"}},
      {"netdev", {"proc/net/dev"}},
      {"netstat", {"proc/net/netstat", "proc/net/snmp", "proc/net/snmp6"}},
      {"nfs", {"proc/net/rpc/nfs"}},
      {"nfsd", {"proc/net/rpc/nfsd"}},
      {"os", {"etc/os-release"}},
      {"pressure", {"proc/pressure/cpu", "proc/pressure/io", "proc/pressure/memory"}},
      {"schedstat", {"proc/schedstat"}},
      {"sockstat", {"proc/net/sockstat", "proc/net/sockstat6"}},
      {"softirqs", {"proc/softirqs"}},
      {"softnet", {"proc/net/softnet_stat"}},
      {"stat", {"proc/stat"}},
      {"udp_queues", {"proc/net/udp", "proc/net/udp6"}},
      {"vmstat", {"proc/vmstat"}},
      {"xfs", {"sys/fs/xfs/sda1/stats/stats"}},
      {"zfs",
       {"proc/spl/kstat/zfs/arcstats", "proc/spl/kstat/zfs/p/io", "proc/spl/kstat/zfs/p/state"}},
      {"zoneinfo", {"proc/zoneinfo"}},
  };
  return cases;
}

class Host {
 public:
  Host() : flags_("fuzz") {
    std::string name = (std::filesystem::temp_directory_path() / "fuzz-node-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name + "/";
    std::filesystem::create_directories(root_ + "udev");
    DeclareCollectorFlags(flags_);
    const std::vector<std::string> args = {"--path.procfs=" + root_ + "proc",
                                           "--path.sysfs=" + root_ + "sys",
                                           "--path.rootfs=" + root_,
                                           "--path.udev.data=" + root_ + "udev",
                                           "--no-collector.arp.netlink",
                                           "--no-collector.netdev.netlink",
                                           "--collector.cpu.info",
                                           "--collector.netstat.fields=.*",
                                           "--collector.vmstat.fields=.*",
                                           "--collector.stat.softirq"};
    if (!flags_.Parse(args)) std::abort();
    for (const Case& c : Cases())
      for (const CollectorEntry* entry : Collectors())
        if (entry->name == c.collector)
          collectors_.push_back(entry->make(Context{flags_, PathsFrom(flags_)}).value());
    if (collectors_.size() != Cases().size()) std::abort();
  }
  ~Host() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  void Run(std::size_t index, std::string_view bytes) {
    for (const std::string& file : Cases()[index].files) {
      const std::filesystem::path path = root_ + file;
      std::filesystem::create_directories(path.parent_path());
      std::ofstream(path, std::ios::binary)
          .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    for (const auto format : {exposition::Format::kText, exposition::Format::kProtobuf}) {
      writer_.Reset(format);
      const Status ignored = collectors_[index]->Collect(writer_);
      static_cast<void>(ignored);
      assembler_.Begin(format);
      assembler_.Add(writer_);
      assembler_.Finish(out_);
    }
  }

 private:
  std::string root_, out_;
  FlagSet flags_;
  std::vector<std::unique_ptr<Collector>> collectors_;
  MetricWriter writer_;
  exposition::Assembler assembler_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Host host;
  if (size == 0) return 0;
  const std::string_view bytes(static_cast<const char*>(static_cast<const void*>(data)) + 1,
                               size - 1);
  host.Run(data[0] % Cases().size(), bytes);
  return 0;
}
