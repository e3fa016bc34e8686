#include "common/base/strings.h"
#include "exporters/app_metrics/src/checks/socket.h"
#include "millrace/app_metrics/checks.h"

namespace millrace::app_metrics::checks {
namespace {

// RESP arrays of bulk strings: nothing in a password can become a command.
std::string Command(std::initializer_list<std::string_view> words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view w : words)
    out.append("$" + std::to_string(w.size()) + "\r\n").append(w).append("\r\n");
  return out;
}

Status Ask(const Fd& fd, std::initializer_list<std::string_view> words, std::string_view expected,
           Deadline deadline) {
  MILLRACE_TRY(SendAll(fd, Command(words), deadline));
  MILLRACE_ASSIGN(const std::string reply, ReceiveLine(fd, deadline));
  if (reply != expected) return Fail(ErrorCode::kUnavailable, Printable(reply));
  return {};
}

Status Ping(const std::string& host, std::uint16_t port, const std::string& password,
            Deadline deadline) {
  MILLRACE_ASSIGN(const Fd fd, Connect(host, port, deadline));
  if (!password.empty()) MILLRACE_TRY(Ask(fd, {"AUTH", password}, "+OK", deadline));
  return Ask(fd, {"PING"}, "+PONG", deadline);
}

}  // namespace

HealthCheck Redis(std::string name, std::string host, std::uint16_t port, std::string password) {
  HealthCheck check;
  check.name = std::move(name);
  check.run = [host = std::move(host), port, password = std::move(password)](Deadline deadline) {
    const Status s = Ping(host, port, password, deadline);
    return s ? CheckResult::Ok() : CheckResult::Failed(s.error().message);
  };
  return check;
}

}  // namespace millrace::app_metrics::checks
