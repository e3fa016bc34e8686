#include <span>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Procedures by number (fs/nfsd/stats.c); an empty name is not written.
constexpr std::string_view kV2[] = {"",     "GetAttr", "SetAttr", "Root",   "Lookup",  "ReadLink",
                                    "Read", "WrCache", "Write",   "Create", "Remove",  "Rename",
                                    "Link", "SymLink", "MkDir",   "RmDir",  "ReadDir", "FsStat"};
constexpr std::string_view kV3[] = {
    "",        "GetAttr",     "SetAttr", "Lookup", "Access",   "ReadLink", "Read",   "Write",
    "Create",  "MkDir",       "SymLink", "MkNod",  "Remove",   "RmDir",    "Rename", "Link",
    "ReadDir", "ReadDirPlus", "FsStat",  "FsInfo", "PathConf", "Commit"};
constexpr std::string_view kV4[] = {"",
                                    "",
                                    "",
                                    "Access",
                                    "Close",
                                    "Commit",
                                    "Create",
                                    "DelegPurge",
                                    "DelegReturn",
                                    "GetAttr",
                                    "GetFH",
                                    "Link",
                                    "Lock",
                                    "Lockt",
                                    "Locku",
                                    "Lookup",
                                    "LookupRoot",
                                    "Nverify",
                                    "Open",
                                    "OpenAttr",
                                    "OpenConfirm",
                                    "OpenDgrd",
                                    "PutFH",
                                    "",
                                    "",
                                    "Read",
                                    "ReadDir",
                                    "ReadLink",
                                    "Remove",
                                    "Rename",
                                    "Renew",
                                    "RestoreFH",
                                    "SaveFH",
                                    "SecInfo",
                                    "SetAttr",
                                    "SetClientID",
                                    "SetClientIDConfirm",
                                    "Verify",
                                    "Write",
                                    "RelLockOwner"};
constexpr std::size_t kLeastV4 = 39;

constexpr Metric kRequests = {"node_nfsd_requests_total", kCounter,
                              "Requests to the NFS server by version and procedure."};

class Nfsd : public Collector {
 public:
  explicit Nfsd(const Context& context) : path_(context.paths.Proc("net/rpc/nfsd")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view words = line;
      const std::string_view key = NextWord(words);
      bool good = false;
      if (key == "th") {  // two counts, then fractions that are 0 since Linux 2.6.29
        const auto threads = NextUnsigned(words);
        good = threads.has_value();
        if (good)
          out.Gauge("node_nfsd_server_threads", "Threads of the NFS server.",
                    static_cast<double>(*threads));
      } else {
        good = ReadNumbers(words, numbers_) && Line(out, key);
      }
      if (!good) return BadContent(path_, "line", line);
    }
    return {};
  }

 private:
  bool Line(MetricWriter& out, std::string_view key) {
    const auto at = [&](std::size_t i) { return static_cast<double>(numbers_[i]); };
    const std::size_t n = numbers_.size();
    if (key == "rc") {
      if (n != 3) return false;
      out.Counter("node_nfsd_reply_cache_hits_total", "Requests answered from the reply cache.",
                  at(0));
      out.Counter("node_nfsd_reply_cache_misses_total", "Requests put into the reply cache.",
                  at(1));
      out.Counter("node_nfsd_reply_cache_nocache_total", "Requests that need no reply cache.",
                  at(2));
    } else if (key == "fh") {
      if (n != 5) return false;
      out.Counter("node_nfsd_file_handles_stale_total", "Stale file handles.", at(0));
    } else if (key == "io") {
      if (n != 2) return false;
      out.Counter("node_nfsd_disk_bytes_read_total", "Bytes the NFS server read.", at(0));
      out.Counter("node_nfsd_disk_bytes_written_total", "Bytes the NFS server wrote.", at(1));
    } else if (key == "ra") {
      if (n != 12) return false;
      out.Gauge("node_nfsd_read_ahead_cache_size_blocks", "Blocks of the read-ahead cache.", at(0));
      out.Counter("node_nfsd_read_ahead_cache_not_found_total", "Misses of the read-ahead cache.",
                  at(11));
    } else if (key == "net") {
      if (n != 4) return false;
      out.Family("node_nfsd_packets_total", kCounter, "Packets of the NFS server by protocol.");
      out.Sample({{"proto", "udp"}}, at(1));
      out.Sample({{"proto", "tcp"}}, at(2));
      out.Counter("node_nfsd_connections_total", "TCP connections to the NFS server.", at(3));
    } else if (key == "rpc") {
      if (n != 5) return false;
      out.Counter("node_nfsd_server_rpcs_total", "Remote calls to the NFS server.", at(0));
      out.Family("node_nfsd_rpc_errors_total", kCounter, "Bad remote calls by error.");
      out.Sample({{"error", "fmt"}}, at(2));
      out.Sample({{"error", "auth"}}, at(3));
      out.Sample({{"error", "cInt"}}, at(4));
    } else if (key == "proc2") {
      return Procedures(out, "2", kV2, std::size(kV2));
    } else if (key == "proc3") {
      return Procedures(out, "3", kV3, std::size(kV3));
    } else if (key == "proc4") {
      return n == 3 && numbers_[0] == 2;  // null and compound say nothing
    } else if (key == "proc4ops") {
      return Procedures(out, "4", kV4, kLeastV4);
    } else if (key == "wdeleg_getattr") {
      if (n == 0) return false;
      out.Family(kRequests);
      out.Sample({{"method", "WdelegGetattr"}, {"proto", "4"}}, at(0));
    } else {
      return false;
    }
    return true;
  }

  // The line starts with how many follow.
  bool Procedures(MetricWriter& out, std::string_view proto,
                  std::span<const std::string_view> names, std::size_t least) {
    if (numbers_.empty() || numbers_.size() != numbers_[0] + 1 || numbers_[0] < least) return false;
    out.Family(kRequests);
    for (std::size_t i = 0; i < names.size(); ++i)
      if (!names[i].empty())
        out.Sample({{"method", names[i]}, {"proto", proto}},
                   i + 1 < numbers_.size() ? static_cast<double>(numbers_[i + 1]) : 0);
    return true;
  }

  const std::string path_;
  FileReader files_;
  std::vector<std::uint64_t> numbers_;
};

}  // namespace

MILLRACE_COLLECTOR(Nfsd) = {"nfsd", true, "NFS server", nullptr, &MakeCollector<Nfsd>};

}  // namespace millrace::node
