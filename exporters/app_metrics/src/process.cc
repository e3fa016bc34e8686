#include "exporters/app_metrics/src/process.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/strings.h"

namespace millrace::app_metrics {
namespace {

// btime of /proc/stat: when the clock of the kernel's start times began.
double BootTime() {
  static const double boot = [] {
    const auto text = ReadFile("/proc/stat");
    const auto at = text ? text->find("btime ") : std::string::npos;
    if (at == std::string::npos) return 0.0;
    const std::string_view rest = std::string_view(*text).substr(at + 6);
    return ParseNumber<double>(rest.substr(0, rest.find('\n'))).value_or(0);
  }();
  return boot;
}

double CountFds() {
  DIR* dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  double n = -3;  // ".", ".." and the one that lists
  while (::readdir(dir) != nullptr) ++n;
  ::closedir(dir);
  return n;
}

}  // namespace

std::optional<ProcessFacts> ReadProcessFacts() {
  const auto stat = ReadFile("/proc/self/stat");
  if (!stat) return std::nullopt;
  // The command stands in parentheses and may hold anything; proc(5) counts fields behind it.
  const auto close = stat->rfind(')');
  if (close == std::string::npos) return std::nullopt;
  const auto f = SplitWhitespace(std::string_view(*stat).substr(close + 1));
  if (f.size() < 22) return std::nullopt;
  const auto number = [&](std::size_t field) {  // numbered as in proc(5)
    return ParseNumber<double>(f[field - 3]).value_or(0);
  };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  ProcessFacts p{};
  p.cpu_seconds = (number(14) + number(15)) / ticks;
  p.threads = number(20);
  p.start_time_seconds = BootTime() + number(22) / ticks;
  p.virtual_bytes = number(23);
  p.resident_bytes = number(24) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  p.open_fds = std::max(0.0, CountFds());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    p.max_fds = limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                                : static_cast<double>(limit.rlim_cur);
  return p;
}

}  // namespace millrace::app_metrics
