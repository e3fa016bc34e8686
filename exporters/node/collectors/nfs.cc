#include <span>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Procedures by number, from the kernel's tables of the client: fs/nfs/nfs[234]*.
constexpr std::string_view kV2[] = {"Null", "GetAttr", "SetAttr", "Root",   "Lookup",  "ReadLink",
                                    "Read", "WrCache", "Write",   "Create", "Remove",  "Rename",
                                    "Link", "SymLink", "MkDir",   "RmDir",  "ReadDir", "FsStat"};
constexpr std::string_view kV3[] = {
    "Null",    "GetAttr",     "SetAttr", "Lookup", "Access",   "ReadLink", "Read",   "Write",
    "Create",  "MkDir",       "SymLink", "MkNod",  "Remove",   "RmDir",    "Rename", "Link",
    "ReadDir", "ReadDirPlus", "FsStat",  "FsInfo", "PathConf", "Commit"};
constexpr std::string_view kV4[] = {"Null",
                                    "Read",
                                    "Write",
                                    "Commit",
                                    "Open",
                                    "OpenConfirm",
                                    "OpenNoattr",
                                    "OpenDowngrade",
                                    "Close",
                                    "Setattr",
                                    "FsInfo",
                                    "Renew",
                                    "SetClientID",
                                    "SetClientIDConfirm",
                                    "Lock",
                                    "Lockt",
                                    "Locku",
                                    "Access",
                                    "Getattr",
                                    "Lookup",
                                    "LookupRoot",
                                    "Remove",
                                    "Rename",
                                    "Link",
                                    "Symlink",
                                    "Create",
                                    "Pathconf",
                                    "StatFs",
                                    "ReadLink",
                                    "ReadDir",
                                    "ServerCaps",
                                    "DelegReturn",
                                    "GetACL",
                                    "SetACL",
                                    "FsLocations",
                                    "ReleaseLockowner",
                                    "Secinfo",
                                    "FsidPresent",
                                    "ExchangeID",
                                    "CreateSession",
                                    "DestroySession",
                                    "Sequence",
                                    "GetLeaseTime",
                                    "ReclaimComplete",
                                    "GetDeviceInfo",
                                    "LayoutGet",
                                    "LayoutCommit",
                                    "LayoutReturn",
                                    "SecinfoNoName",
                                    "TestStateID",
                                    "FreeStateID",
                                    "GetDeviceList",
                                    "BindConnToSession",
                                    "DestroyClientID",
                                    "Seek",
                                    "Allocate",
                                    "DeAllocate",
                                    "LayoutStats",
                                    "Clone"};

class Nfs : public Collector {
 public:
  explicit Nfs(const Context& context) : path_(context.paths.Proc("net/rpc/nfs")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view words = line;
      const std::string_view key = NextWord(words);
      if (!ReadNumbers(words, numbers_) || !Line(out, key)) return BadContent(path_, "line", line);
    }
    return {};
  }

 private:
  bool Line(MetricWriter& out, std::string_view key) {
    const auto at = [&](std::size_t i) { return static_cast<double>(numbers_[i]); };
    if (key == "net") {
      if (numbers_.size() != 4) return false;
      out.Family("node_nfs_packets_total", kCounter, "Packets of the NFS client by protocol.");
      out.Sample({{"protocol", "udp"}}, at(1));
      out.Sample({{"protocol", "tcp"}}, at(2));
      out.Counter("node_nfs_connections_total", "TCP connections of the NFS client.", at(3));
      return true;
    }
    if (key == "rpc") {
      if (numbers_.size() != 3) return false;
      out.Counter("node_nfs_rpcs_total", "Remote calls of the NFS client.", at(0));
      out.Counter("node_nfs_rpc_retransmissions_total", "Remote calls that were sent again.",
                  at(1));
      out.Counter("node_nfs_rpc_authentication_refreshes_total",
                  "Times authentication was refreshed.", at(2));
      return true;
    }
    if (key == "proc2") return Procedures(out, "2", kV2, false);
    if (key == "proc3") return Procedures(out, "3", kV3, false);
    if (key == "proc4") return Procedures(out, "4", kV4, true);
    return false;
  }

  // The line starts with how many follow. Older kernels know fewer procedures of version 4.
  bool Procedures(MetricWriter& out, std::string_view proto,
                  std::span<const std::string_view> names, bool fewer) {
    if (numbers_.empty() || numbers_.size() != numbers_[0] + 1) return false;
    if (numbers_.size() <= names.size() && !fewer) return false;
    out.Family("node_nfs_requests_total", kCounter, "Procedures the NFS client called.");
    for (std::size_t i = 0; i < names.size(); ++i)
      out.Sample({{"method", names[i]}, {"proto", proto}},
                 i + 1 < numbers_.size() ? static_cast<double>(numbers_[i + 1]) : 0);
    return true;
  }

  const std::string path_;
  FileReader files_;
  std::vector<std::uint64_t> numbers_;
};

}  // namespace

MILLRACE_COLLECTOR(Nfs) = {"nfs", true, "NFS client", nullptr, &MakeCollector<Nfs>};

}  // namespace millrace::node
