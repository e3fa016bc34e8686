// A check over libpq, without its blocking calls, so that the deadline holds.
#include <memory>

#include <libpq-fe.h>
#include <poll.h>

#include "millrace/app_metrics/checks.h"

namespace millrace::app_metrics::checks {
namespace {

using Deadline = std::chrono::steady_clock::time_point;
using Connection = std::unique_ptr<PGconn, decltype(&::PQfinish)>;
using Answer = std::unique_ptr<PGresult, decltype(&::PQclear)>;

bool WaitFor(const PGconn* c, short events, Deadline deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) return false;
  pollfd p{::PQsocket(c), events, 0};
  return ::poll(&p, 1, static_cast<int>(left.count())) > 0;
}

std::string Message(const PGconn* c) {
  std::string text = ::PQerrorMessage(c);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.empty() ? "timed out" : text;
}

bool Connect(Connection& c, const std::string& conninfo, Deadline deadline) {
  c.reset(::PQconnectStart(conninfo.c_str()));
  if (!c || ::PQstatus(c.get()) == CONNECTION_BAD) return false;
  for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;) {
    if (state == PGRES_POLLING_FAILED) return false;
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!WaitFor(c.get(), events, deadline)) return false;
    state = ::PQconnectPoll(c.get());
  }
  return ::PQsetnonblocking(c.get(), 1) == 0;
}

bool Ask(PGconn* c, Deadline deadline) {
  if (::PQsendQuery(c, "SELECT 1") == 0) return false;
  while (::PQflush(c) == 1)
    if (!WaitFor(c, POLLOUT, deadline)) return false;
  bool good = false;
  for (;;) {
    while (::PQisBusy(c) != 0)
      if (!WaitFor(c, POLLIN, deadline) || ::PQconsumeInput(c) == 0) return false;
    const Answer answer(::PQgetResult(c), &::PQclear);
    if (!answer) return good;
    good = ::PQresultStatus(answer.get()) == PGRES_TUPLES_OK;
  }
}

}  // namespace

HealthCheck Postgres(std::string name, std::string conninfo) {
  HealthCheck check;
  check.name = std::move(name);
  const auto kept = std::make_shared<Connection>(nullptr, &::PQfinish);
  check.run = [kept, conninfo = std::move(conninfo)](Deadline deadline) {
    Connection& c = *kept;
    // A connection that was kept may have died with the server's restart: then a new one decides.
    if (c && Ask(c.get(), deadline)) return CheckResult::Ok();
    if (Connect(c, conninfo, deadline) && Ask(c.get(), deadline)) return CheckResult::Ok();
    const CheckResult failed = CheckResult::Failed(c ? Message(c.get()) : "out of memory");
    c.reset();
    return failed;
  };
  return check;
}

}  // namespace millrace::app_metrics::checks
