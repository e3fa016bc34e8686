#include "exporters/node/self_metrics.h"

#include <limits>

#include <sys/resource.h>
#include <unistd.h>

#include "exporters/node/scan.h"

#ifndef MILLRACE_VERSION
#define MILLRACE_VERSION "0"
#endif

namespace millrace::node {
namespace {

#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "amd64";
#elif defined(__aarch64__)
constexpr std::string_view kArchitecture = "arm64";
#else
constexpr std::string_view kArchitecture = "other";
#endif

double LimitOf(int resource) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return 0;
  // client_golang shows "unlimited" as the largest unsigned number.
  return static_cast<double>(
      limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<std::uint64_t>::max() : limit.rlim_cur);
}

double BootTime(std::string_view stat) {
  std::string_view line;
  while (NextLine(stat, line))
    if (line.starts_with("btime ")) return ParseNumber<double>(line.substr(6)).value_or(0);
  return 0;
}

}  // namespace

void WriteBuildInfo(MetricWriter& out) {
  out.Family("node_exporter_build_info", MetricType::kGauge,
             "Always 1; the labels say which build this is.");
  out.Sample({{"branch", ""},
              {"goarch", kArchitecture},
              {"goos", "linux"},
              {"goversion", "none"},
              {"revision", "millrace"},
              {"tags", ""},
              {"version", MILLRACE_VERSION}},
             1);
}

void WriteHandlerCounts(const HandlerCounts& counts, MetricWriter& out) {
  out.Family("promhttp_metric_handler_requests_in_flight", MetricType::kGauge,
             "Scrapes being served.");
  out.Sample(static_cast<double>(counts.in_flight));
  out.Family("promhttp_metric_handler_requests_total", MetricType::kCounter,
             "Scrapes by HTTP status.");
  out.Sample({{"code", "200"}}, static_cast<double>(counts.ok));
  if (counts.bad_request != 0)
    out.Sample({{"code", "400"}}, static_cast<double>(counts.bad_request));
  out.Sample({{"code", "500"}}, static_cast<double>(counts.internal_error));
  out.Sample({{"code", "503"}}, static_cast<double>(counts.unavailable));
}

void ProcessMetrics::Write(MetricWriter& out) {
  if (boot_time_ == 0)
    if (const auto stat = files_.Read("/proc/stat")) boot_time_ = BootTime(*stat);
  if (const auto text = files_.Read("/proc/self/stat")) {
    // proc(5): the name may hold blanks and parentheses, so fields count from the last ')'.
    std::string_view rest = text->substr(std::min(text->rfind(')'), text->size() - 1) + 1);
    const Words<22> words(rest);
    const auto number = [&](std::size_t field) {
      return ParseNumber<double>(words[field - 3]).value_or(0);
    };
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    out.Counter("process_cpu_seconds_total", "Processor time of the exporter, user and system.",
                (number(14) + number(15)) / ticks);
    out.Gauge("process_start_time_seconds", "When the exporter started, seconds since 1970.",
              boot_time_ + number(22) / ticks);
    out.Gauge("process_virtual_memory_bytes", "Virtual memory of the exporter.", number(23));
    out.Gauge("process_resident_memory_bytes", "Resident memory of the exporter.",
              number(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  }
  out.Gauge("process_virtual_memory_max_bytes", "Most virtual memory the exporter may have.",
            LimitOf(RLIMIT_AS));
  if (descriptors_.Read("/proc/self/fd"))
    out.Gauge("process_open_fds", "File descriptors the exporter has open.",
              static_cast<double>(descriptors_.size()));
  out.Gauge("process_max_fds", "Most file descriptors the exporter may have.",
            LimitOf(RLIMIT_NOFILE));
  if (const auto text = files_.Read("/proc/self/net/netstat")) {
    // Two lines per protocol: names, then values.
    std::string_view rest = *text;
    std::string_view names;
    std::string_view values;
    while (NextLine(rest, names) && NextLine(rest, values)) {
      if (!names.starts_with("IpExt:")) continue;
      for (;;) {
        const std::string_view name = NextWord(names);
        const std::string_view value = NextWord(values);
        if (name.empty()) break;
        if (name == "InOctets")
          out.Counter("process_network_receive_bytes_total",
                      "Bytes received over the network, of the exporter's namespace.",
                      ParseNumber<double>(value).value_or(0));
        if (name == "OutOctets")
          out.Counter("process_network_transmit_bytes_total",
                      "Bytes sent over the network, of the exporter's namespace.",
                      ParseNumber<double>(value).value_or(0));
      }
    }
  }
}

std::string VersionText() {
  return "millrace-node-exporter, version " MILLRACE_VERSION " (drop-in for node_exporter 1.12.1)";
}

}  // namespace millrace::node
