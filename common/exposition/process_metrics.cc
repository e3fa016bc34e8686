#include "common/exposition/process_metrics.h"

#include <algorithm>
#include <limits>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/strings.h"

namespace millrace::exposition {
namespace {

double Limit(decltype(RLIMIT_AS) resource) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return 0;
  // client_golang shows "unlimited" as the largest unsigned number.
  return static_cast<double>(
      limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<std::uint64_t>::max() : limit.rlim_cur);
}

double BootTime() {
  const auto text = ReadFile("/proc/stat");
  if (!text) return 0;
  for (const std::string_view line : Split(*text, '\n'))
    if (line.starts_with("btime ")) return ParseNumber<double>(line.substr(6)).value_or(0);
  return 0;
}

double OpenDescriptors() {
  DIR* dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  double n = -3;  // ".", ".." and the descriptor that reads them
  while (::readdir(dir) != nullptr) ++n;
  ::closedir(dir);
  return n;
}

}  // namespace

void WriteProcessMetrics(MetricWriter& out) {
  static const double boot_time = BootTime();
  if (const auto text = ReadFile("/proc/self/stat")) {
    // proc(5): the name may hold blanks and parentheses, so fields count from the last ')'.
    const std::string_view rest =
        std::string_view(*text).substr(std::min(text->rfind(')'), text->size() - 1) + 1);
    const auto words = SplitWhitespace(rest);
    const auto number = [&words](std::size_t field) {
      return field - 3 < words.size() ? ParseNumber<double>(words[field - 3]).value_or(0) : 0.0;
    };
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    out.Counter("process_cpu_seconds_total", "Processor time, user and system.",
                (number(14) + number(15)) / ticks);
    out.Gauge("process_start_time_seconds", "When the process started, seconds since 1970.",
              boot_time + number(22) / ticks);
    out.Gauge("process_virtual_memory_bytes", "Virtual memory.", number(23));
    out.Gauge("process_resident_memory_bytes", "Resident memory.",
              number(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  }
  out.Gauge("process_virtual_memory_max_bytes", "Most virtual memory the process may have.",
            Limit(RLIMIT_AS));
  out.Gauge("process_open_fds", "File descriptors that are open.", OpenDescriptors());
  out.Gauge("process_max_fds", "Most file descriptors the process may have.", Limit(RLIMIT_NOFILE));
}

}  // namespace millrace::exposition
