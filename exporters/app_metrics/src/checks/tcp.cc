#include "exporters/app_metrics/src/checks/socket.h"
#include "millrace/app_metrics/checks.h"

namespace millrace::app_metrics::checks {

HealthCheck Tcp(std::string name, std::string host, std::uint16_t port) {
  HealthCheck check;
  check.name = std::move(name);
  check.run = [host = std::move(host), port](Deadline deadline) {
    const auto fd = Connect(host, port, deadline);
    return fd ? CheckResult::Ok() : CheckResult::Failed(fd.error().message);
  };
  return check;
}

}  // namespace millrace::app_metrics::checks
