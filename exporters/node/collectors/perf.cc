#include <cerrno>
#include <cstring>
#include <vector>

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/log/log.h"
#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

enum class Group : unsigned char { kHardware, kSoftware, kCache };

constexpr std::uint64_t Cache(std::uint64_t id, std::uint64_t operation, std::uint64_t result) {
  return id | operation << 8 | result << 16;
}
constexpr auto kRead = PERF_COUNT_HW_CACHE_OP_READ, kWrite = PERF_COUNT_HW_CACHE_OP_WRITE;
constexpr auto kHit = PERF_COUNT_HW_CACHE_RESULT_ACCESS, kMiss = PERF_COUNT_HW_CACHE_RESULT_MISS;

struct Event {
  Group group;
  std::string_view profiler;  ///< Its name in --collector.perf.*-profilers.
  std::uint64_t config;
  std::string_view name, help;
};
constexpr Event kEvents[] = {
    {Group::kHardware, "CpuCycles", PERF_COUNT_HW_CPU_CYCLES, "node_perf_cpucycles_total",
     "Processor cycles, with the frequency."},
    {Group::kHardware, "CpuInstr", PERF_COUNT_HW_INSTRUCTIONS, "node_perf_instructions_total",
     "Instructions."},
    {Group::kHardware, "BranchInstr", PERF_COUNT_HW_BRANCH_INSTRUCTIONS,
     "node_perf_branch_instructions_total", "Branch instructions."},
    {Group::kHardware, "BranchMisses", PERF_COUNT_HW_BRANCH_MISSES, "node_perf_branch_misses_total",
     "Branches predicted wrongly."},
    {Group::kHardware, "CacheRef", PERF_COUNT_HW_CACHE_REFERENCES, "node_perf_cache_refs_total",
     "Cache accesses."},
    {Group::kHardware, "CacheMisses", PERF_COUNT_HW_CACHE_MISSES, "node_perf_cache_misses_total",
     "Cache misses."},
    {Group::kHardware, "RefCpuCycles", PERF_COUNT_HW_REF_CPU_CYCLES,
     "node_perf_ref_cpucycles_total", "Processor cycles, without the frequency."},
    {Group::kHardware, "StalledCyclesBackend", PERF_COUNT_HW_STALLED_CYCLES_BACKEND,
     "node_perf_stalled_cycles_backend_total", "Cycles stalled in the back end."},
    {Group::kHardware, "StalledCyclesFrontend", PERF_COUNT_HW_STALLED_CYCLES_FRONTEND,
     "node_perf_stalled_cycles_frontend_total", "Cycles stalled in the front end."},
    {Group::kSoftware, "PageFault", PERF_COUNT_SW_PAGE_FAULTS, "node_perf_page_faults_total",
     "Page faults."},
    {Group::kSoftware, "ContextSwitch", PERF_COUNT_SW_CONTEXT_SWITCHES,
     "node_perf_context_switches_total", "Context switches."},
    {Group::kSoftware, "CpuMigration", PERF_COUNT_SW_CPU_MIGRATIONS,
     "node_perf_cpu_migrations_total", "Migrations of processes."},
    {Group::kSoftware, "MinorFault", PERF_COUNT_SW_PAGE_FAULTS_MIN, "node_perf_minor_faults_total",
     "Minor page faults."},
    {Group::kSoftware, "MajorFault", PERF_COUNT_SW_PAGE_FAULTS_MAJ, "node_perf_major_faults_total",
     "Major page faults."},
    {Group::kCache, "L1DataReadHit", Cache(PERF_COUNT_HW_CACHE_L1D, kRead, kHit),
     "node_perf_cache_l1d_read_hits_total", "Reads of the L1 data cache."},
    {Group::kCache, "L1DataReadMiss", Cache(PERF_COUNT_HW_CACHE_L1D, kRead, kMiss),
     "node_perf_cache_l1d_read_misses_total", "Read misses of the L1 data cache."},
    {Group::kCache, "L1DataWriteHit", Cache(PERF_COUNT_HW_CACHE_L1D, kWrite, kHit),
     "node_perf_cache_l1d_write_hits_total", "Writes of the L1 data cache."},
    {Group::kCache, "L1InstrReadMiss", Cache(PERF_COUNT_HW_CACHE_L1I, kRead, kMiss),
     "node_perf_cache_l1_instr_read_misses_total", "Read misses of the L1 instruction cache."},
    {Group::kCache, "InstrTLBReadHit", Cache(PERF_COUNT_HW_CACHE_ITLB, kRead, kHit),
     "node_perf_cache_tlb_instr_read_hits_total", "Reads of the instruction TLB."},
    {Group::kCache, "InstrTLBReadMiss", Cache(PERF_COUNT_HW_CACHE_ITLB, kRead, kMiss),
     "node_perf_cache_tlb_instr_read_misses_total", "Read misses of the instruction TLB."},
    {Group::kCache, "DataTLBReadHit", Cache(PERF_COUNT_HW_CACHE_DTLB, kRead, kHit),
     "node_perf_cache_tlb_data_read_hits_total", "Reads of the data TLB."},
    {Group::kCache, "DataTLBReadMiss", Cache(PERF_COUNT_HW_CACHE_DTLB, kRead, kMiss),
     "node_perf_cache_tlb_data_read_misses_total", "Read misses of the data TLB."},
    {Group::kCache, "DataTLBWriteHit", Cache(PERF_COUNT_HW_CACHE_DTLB, kWrite, kHit),
     "node_perf_cache_tlb_data_write_hits_total", "Writes of the data TLB."},
    {Group::kCache, "DataTLBWriteMiss", Cache(PERF_COUNT_HW_CACHE_DTLB, kWrite, kMiss),
     "node_perf_cache_tlb_data_write_misses_total", "Write misses of the data TLB."},
    {Group::kCache, "LLReadHit", Cache(PERF_COUNT_HW_CACHE_LL, kRead, kHit),
     "node_perf_cache_ll_read_hits_total", "Reads of the last level cache."},
    {Group::kCache, "LLReadMiss", Cache(PERF_COUNT_HW_CACHE_LL, kRead, kMiss),
     "node_perf_cache_ll_read_misses_total", "Read misses of the last level cache."},
    {Group::kCache, "LLWriteHit", Cache(PERF_COUNT_HW_CACHE_LL, kWrite, kHit),
     "node_perf_cache_ll_write_hits_total", "Writes of the last level cache."},
    {Group::kCache, "LLWriteMiss", Cache(PERF_COUNT_HW_CACHE_LL, kWrite, kMiss),
     "node_perf_cache_ll_write_misses_total", "Write misses of the last level cache."},
    {Group::kCache, "BPUReadHit", Cache(PERF_COUNT_HW_CACHE_BPU, kRead, kHit),
     "node_perf_cache_bpu_read_hits_total", "Reads of the branch prediction unit."},
    {Group::kCache, "BPUReadMiss", Cache(PERF_COUNT_HW_CACHE_BPU, kRead, kMiss),
     "node_perf_cache_bpu_read_misses_total", "Read misses of the branch prediction unit."},
};

struct GroupInfo {
  Group group;
  std::uint32_t type;
  std::string_view profilers_flag, disable_flag;
};
constexpr GroupInfo kGroups[] = {
    {Group::kHardware, PERF_TYPE_HARDWARE, "collector.perf.hardware-profilers",
     "collector.perf.disable-hardware-profilers"},
    {Group::kSoftware, PERF_TYPE_SOFTWARE, "collector.perf.software-profilers",
     "collector.perf.disable-software-profilers"},
    {Group::kCache, PERF_TYPE_HW_CACHE, "collector.perf.cache-profilers",
     "collector.perf.disable-cache-profilers"},
};

/// What is to be counted.
struct Counter {
  std::uint32_t type = 0;
  std::uint64_t config = 0;
  std::string name, help;
};

/// "0,2,4-8:2" -> 0 2 4 6 8
Result<std::vector<int>> ParseCpus(std::string_view text) {
  std::vector<int> cpus;
  constexpr int kMostCpus = 8192;
  for (std::string_view part : Split(text, ',')) {
    std::string_view range = NextPiece(part, ':');
    const auto stride = part.empty() ? std::optional<int>(1) : ParseNumber<int>(part);
    const auto first = ParseNumber<int>(NextPiece(range, '-'));
    const auto last = range.empty() ? first : ParseNumber<int>(range);
    if (!first || !last || !stride || *stride < 1 || *first < 0 || *last >= kMostCpus)
      return Fail(ErrorCode::kInvalidArgument,
                  "--collector.perf.cpus: \"" + std::string(text) + "\" is no list of processors");
    for (int cpu = *first; cpu <= *last; cpu += *stride) cpus.push_back(cpu);
  }
  return cpus;
}

class Perf : public Collector {
 public:
  Perf(std::vector<Counter> counters, std::vector<int> cpus)
      : counters_(std::move(counters)), cpus_(std::move(cpus)) {
    // Counting begins with the program; what fails now is tried, and reported, at the scrape.
    if (const Status opened = Open(); !opened) open_.clear();
  }

  Status Collect(MetricWriter& out) override {
    if (open_.empty()) MILLRACE_TRY(Open());
    for (const Opened& o : open_) {
      // value, time enabled, time running: less running when counters take turns.
      std::uint64_t data[3] = {};
      if (::read(o.fd.get(), data, sizeof data) != sizeof data) continue;
      const Counter& c = counters_[o.counter];
      double value = static_cast<double>(data[0]);
      if (data[2] != 0 && data[2] < data[1])
        value *= static_cast<double>(data[1]) / static_cast<double>(data[2]);
      out.Family(c.name, kCounter, c.help);
      out.Sample({{"cpu", NumberText(o.cpu).view()}}, value);
    }
    return {};
  }

 private:
  struct Opened {
    Fd fd;
    std::size_t counter;
    int cpu;
  };

  /// Counts every process of each processor from now on. What the hardware lacks is left out.
  Status Open() {
    int error = ENOENT;
    for (std::size_t i = 0; i < counters_.size(); ++i) {
      for (const int cpu : cpus_) {
        perf_event_attr attributes{};
        attributes.size = sizeof attributes;
        attributes.type = counters_[i].type;
        attributes.config = counters_[i].config;
        attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
        attributes.exclude_hv = 1;
        Fd fd(static_cast<int>(
            ::syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
        if (fd) {
          open_.push_back({std::move(fd), i, cpu});
        } else {
          error = errno;
          if (error == EACCES || error == EPERM)
            return FailErrno("perf_event_open (needs CAP_PERFMON or perf_event_paranoid 0)", error);
          break;  // not on the other processors either
        }
      }
    }
    if (open_.empty()) return FailErrno("perf_event_open: no event can be counted", error);
    return {};
  }

  const std::vector<Counter> counters_;
  const std::vector<int> cpus_;
  std::vector<Opened> open_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.perf.cpus", "", "Processors to count on, such as 0,2-8:2; empty = all.");
  flags.List("collector.perf.tracepoint", {}, "Tracepoint to count, SUBSYSTEM:EVENT. Repeatable.");
  for (const GroupInfo& g : kGroups) {
    flags.Switch(g.disable_flag, false, "Leave out this kind of counters.");
    flags.List(g.profilers_flag, {}, "Counters to use (docs/node-exporter.md); none = all.");
  }
}

Result<Counter> Tracepoint(const Context& context, std::string_view text) {
  const std::string whole(text);
  const std::string_view subsystem = NextPiece(text, ':');
  if (text.empty() || whole.find('/') != std::string::npos)
    return Fail(ErrorCode::kInvalidArgument,
                "--collector.perf.tracepoint: write SUBSYSTEM:EVENT, not \"" + whole + "\"");
  for (const char* root : {"kernel/tracing", "kernel/debug/tracing"}) {
    const std::string path = context.paths.Sys(root) + "/events/" + std::string(subsystem) + "/" +
                             std::string(text) + "/id";
    const auto id = ReadFile(path);
    if (!id) continue;
    const auto number = ParseNumber<std::uint64_t>(Trim(*id));
    if (!number) return BadContent(path, "number", *id);
    return Counter{PERF_TYPE_TRACEPOINT, *number,
                   "node_perf_" + std::string(subsystem) + "_" + std::string(text),
                   "Tracepoint " + whole + "."};
  }
  return Fail(ErrorCode::kNotFound, "tracepoint " + whole + " is not there, or tracefs is not");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  const FlagSet& flags = context.flags;
  std::vector<Counter> counters;
  for (const std::string& t : flags.GetList("collector.perf.tracepoint")) {
    MILLRACE_ASSIGN(Counter c, Tracepoint(context, t));
    counters.push_back(std::move(c));
  }
  for (const GroupInfo& g : kGroups) {
    if (flags.GetSwitch(g.disable_flag)) continue;
    const auto& wanted = flags.GetList(g.profilers_flag);
    std::size_t known = 0;
    for (const Event& e : kEvents) {
      if (e.group != g.group) continue;
      const bool named = std::find(wanted.begin(), wanted.end(), e.profiler) != wanted.end();
      known += named ? 1U : 0U;
      if (wanted.empty() || named)
        counters.push_back({g.type, e.config, std::string(e.name), std::string(e.help)});
    }
    if (known < wanted.size())
      return Fail(ErrorCode::kInvalidArgument,
                  "--" + std::string(g.profilers_flag) + " has an unknown or repeated name");
  }
  std::vector<int> cpus;
  if (const std::string& text = flags.GetText("collector.perf.cpus"); !text.empty()) {
    MILLRACE_ASSIGN(cpus, ParseCpus(text));
  } else {
    for (int cpu = 0; cpu < static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)); ++cpu)
      cpus.push_back(cpu);
  }
  return std::make_unique<Perf>(std::move(counters), std::move(cpus));
}

}  // namespace

MILLRACE_COLLECTOR(Perf) = {"perf", false, "Counters of perf_event_open(2)", &Declare, &Make};

}  // namespace millrace::node
