// A check over MariaDB Connector/C or libmysqlclient.
#include <algorithm>
#include <memory>

#include <mysql.h>

#include "millrace/app_metrics/checks.h"

namespace millrace::app_metrics::checks {
namespace {

using Deadline = std::chrono::steady_clock::time_point;
using Connection = std::unique_ptr<MYSQL, decltype(&::mysql_close)>;

// The client's limits are whole seconds, each for one step: connecting, and a read or write.
bool Connect(Connection& c, const MysqlServer& s, Deadline deadline) {
  c.reset(::mysql_init(nullptr));
  if (!c) return false;
  const auto left =
      std::chrono::ceil<std::chrono::seconds>(deadline - std::chrono::steady_clock::now()).count();
  const auto seconds = static_cast<unsigned>(std::max<long>(1, static_cast<long>(left)));
  ::mysql_options(c.get(), MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
  ::mysql_options(c.get(), MYSQL_OPT_READ_TIMEOUT, &seconds);
  ::mysql_options(c.get(), MYSQL_OPT_WRITE_TIMEOUT, &seconds);
  return ::mysql_real_connect(c.get(), s.host.c_str(), s.user.c_str(), s.password.c_str(),
                              s.database.empty() ? nullptr : s.database.c_str(), s.port, nullptr,
                              0) != nullptr;
}

}  // namespace

HealthCheck Mysql(std::string name, MysqlServer server) {
  HealthCheck check;
  check.name = std::move(name);
  const auto kept = std::make_shared<Connection>(nullptr, &::mysql_close);
  check.run = [kept, server = std::move(server)](Deadline deadline) {
    Connection& c = *kept;
    if (c && ::mysql_ping(c.get()) == 0) return CheckResult::Ok();
    if (Connect(c, server, deadline) && ::mysql_ping(c.get()) == 0) return CheckResult::Ok();
    const CheckResult failed = CheckResult::Failed(c ? ::mysql_error(c.get()) : "out of memory");
    c.reset();
    return failed;
  };
  return check;
}

}  // namespace millrace::app_metrics::checks
