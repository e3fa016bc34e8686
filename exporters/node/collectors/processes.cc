#include <cerrno>

#include "exporters/node/attributes.h"
#include "exporters/node/read_once.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

bool IsNumber(std::string_view s) {
  return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos;
}

struct ProcStat {
  char state;
  std::uint64_t threads;
};
/// Fields 3 and 20 of proc_pid_stat(5). The name before them may hold blanks and parentheses.
std::optional<ProcStat> ParseStat(std::string_view text) {
  const auto name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  const Words<18> words(text.substr(name_end + 1));
  const auto threads = ParseNumber<std::uint64_t>(words[17]);
  if (words[0].size() != 1 || !threads) return std::nullopt;
  return ProcStat{words[0][0], *threads};
}

/// How many are in each state ("R", "S", "D" ...).
class States {
 public:
  void Clear() { std::fill(std::begin(counts_), std::end(counts_), 0U); }
  void Add(char state) { ++counts_[static_cast<unsigned char>(state)]; }
  void Emit(const Metric& metric, std::string_view label, MetricWriter& out) const {
    for (std::size_t i = 0; i < std::size(counts_); ++i) {
      if (counts_[i] == 0) continue;
      const char state = static_cast<char>(i);
      node::Emit(out, metric, {{label, std::string_view(&state, 1)}}, counts_[i]);
    }
  }

 private:
  std::uint32_t counts_[256] = {};
};

class Processes : public Collector {
 public:
  explicit Processes(const Context& context) : paths_(context.paths) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(pids_.Read(paths_.proc));
    processes_.Clear();
    tasks_.Clear();
    double count = 0, threads = 0;
    for (const std::string_view pid : pids_) {
      if (!IsNumber(pid)) continue;
      JoinPath(path_, {paths_.proc, pid, "stat"});
      MILLRACE_ASSIGN(const auto stat, ReadStat());
      if (!stat) continue;
      ++count;
      threads += static_cast<double>(stat->threads);
      processes_.Add(stat->state);
      MILLRACE_TRY(CountTasks(pid, stat->state));
    }
    out.Gauge("node_processes_threads", "Threads in the system.", threads);
    MILLRACE_TRY(EmitLimit("sys/kernel/threads-max", "node_processes_max_threads",
                           "Most threads the system allows.", out));
    processes_.Emit({"node_processes_state", kGauge, "Processes by state."}, "state", out);
    tasks_.Emit({"node_processes_threads_state", kGauge, "Threads by state."}, "thread_state", out);
    out.Gauge("node_processes_pids", "Processes in the system.", count);
    return EmitLimit("sys/kernel/pid_max", "node_processes_max_processes",
                     "Most processes the system allows.", out);
  }

 private:
  /// Nothing for a process that has gone meanwhile. `path_` names the file.
  Result<std::optional<ProcStat>> ReadStat() {
    if (const int error = ReadOnce(path_, text_); error != 0) {
      if (error == ENOENT || error == ESRCH) return std::nullopt;
      return FailErrno("read " + path_, error);
    }
    const auto stat = ParseStat(text_);
    if (!stat) return BadContent(path_, "stat", text_);
    return stat;
  }

  Status CountTasks(std::string_view pid, char state) {
    JoinPath(path_, {paths_.proc, pid, "task"});
    task_directory_ = path_;
    if (!threads_.Read(task_directory_)) return {};
    for (const std::string_view tid : threads_) {
      if (!IsNumber(tid)) continue;
      if (tid == pid) {  // the main thread is the process
        tasks_.Add(state);
        continue;
      }
      JoinPath(path_, {task_directory_, tid, "stat"});
      MILLRACE_ASSIGN(const auto stat, ReadStat());
      if (stat) tasks_.Add(stat->state);
    }
    return {};
  }

  Status EmitLimit(std::string_view file, std::string_view name, std::string_view help,
                   MetricWriter& out) {
    MILLRACE_ASSIGN(const std::string_view text, files_.Read(JoinPath(path_, {paths_.proc, file})));
    const auto value = ParseNumber<std::uint64_t>(Trim(text));
    if (!value) return BadContent(path_, "number", text);
    out.Gauge(name, help, static_cast<double>(*value));
    return {};
  }

  const HostPaths paths_;
  FileReader files_;
  DirList pids_, threads_;
  std::string path_, task_directory_, text_;
  States processes_, tasks_;
};

}  // namespace

MILLRACE_COLLECTOR(Processes) = {"processes", false, "Processes and threads by state", nullptr,
                                 &MakeCollector<Processes>};

}  // namespace millrace::node
