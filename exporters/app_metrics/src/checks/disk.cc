#include <cerrno>
#include <cstring>

#include <sys/statvfs.h>

#include "millrace/app_metrics/checks.h"

namespace millrace::app_metrics::checks {

HealthCheck DiskSpace(std::string name, std::string path, double free_fraction) {
  HealthCheck check;
  check.name = std::move(name);
  check.run = [path = std::move(path), free_fraction](std::chrono::steady_clock::time_point) {
    struct statvfs fs{};
    if (::statvfs(path.c_str(), &fs) != 0)
      return CheckResult::Failed(path + ": " + std::strerror(errno));
    const auto part = [](auto free, auto all) {  // file systems without inodes report 0 of 0
      return all == 0 ? 1.0 : static_cast<double>(free) / static_cast<double>(all);
    };
    const auto percent = [](double p) { return std::to_string(static_cast<int>(p * 100)) + "%"; };
    if (const double free = part(fs.f_bavail, fs.f_blocks); free < free_fraction)
      return CheckResult::Failed(path + ": " + percent(free) + " of the space is free");
    if (const double free = part(fs.f_favail, fs.f_files); free < free_fraction)
      return CheckResult::Failed(path + ": " + percent(free) + " of the inodes are free");
    return CheckResult::Ok();
  };
  return check;
}

}  // namespace millrace::app_metrics::checks
