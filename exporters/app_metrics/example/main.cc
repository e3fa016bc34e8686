// A small chat back-end: registration, log-in, messages. Shows what the middleware makes visible,
// and has switches that break it (GET /break/PART, /fix/PART; loopback only), so that every alert
// can be seen to fire.
//   millrace-example-backend PORT POSTGRES_CONNINFO REDIS_PORT [ACCESS_LOG]
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <thread>

#include "exporters/app_metrics/example/store.h"
#include "millrace/app_metrics/checks.h"
#include "millrace/app_metrics/httplib.h"
#include "millrace/app_metrics/sentry.h"

namespace {

using example::Outcome;
using httplib::Request;
using httplib::Response;

struct Switches {
  std::atomic<bool> slow{false}, errors{false}, login{false}, messages{false};
  std::atomic<bool>* Find(const std::string& name) {
    if (name == "slow") return &slow;
    if (name == "errors") return &errors;
    if (name == "login") return &login;
    if (name == "messages") return &messages;
    return nullptr;
  }
};

int StatusOf(Outcome o, int no) { return o == Outcome::kOk ? 200 : o == Outcome::kNo ? no : 500; }

void Reply(Response& res, int status, const std::string& text) {
  res.status = status;
  res.set_content(text + "\n", "text/plain");
}

class Backend {
 public:
  Backend(millrace::AppMetrics& metrics, example::Store& store)
      : metrics_(metrics), store_(store) {}

  void AddRoutes(httplib::Server& server) {
    server.Post("/register", [this](const Request& q, Response& s) { Register(q, s); });
    server.Post("/login", [this](const Request& q, Response& s) { LogIn(q, s); });
    server.Post("/messages", [this](const Request& q, Response& s) { Send(q, s); });
    server.Get("/messages", [this](const Request& q, Response& s) { Inbox(q, s); });
    server.Get(R"(/(break|fix)/(\w+))", [this](const Request& q, Response& s) { Switch(q, s); });
  }

 private:
  // What the switches do to every call of the API.
  void Weather() const {
    if (switches_.slow) std::this_thread::sleep_for(std::chrono::seconds(2));
    if (switches_.errors) throw std::runtime_error("the switch \"errors\" is on");
  }

  void Register(const Request& q, Response& s) {
    Weather();
    const Outcome o = store_.Register(q.get_param_value("name"), q.get_param_value("password"));
    metrics_.registration(o == Outcome::kOk);
    Reply(s, StatusOf(o, 409), o == Outcome::kOk ? "registered" : "not registered");
  }

  void LogIn(const Request& q, Response& s) {
    Weather();
    std::string session;
    Outcome o = store_.LogIn(q.get_param_value("name"), q.get_param_value("password"), session);
    if (switches_.login && o == Outcome::kOk) o = Outcome::kNo;
    metrics_.login(o == Outcome::kOk);
    Reply(s, StatusOf(o, 401), o == Outcome::kOk ? session : "not logged in");
  }

  bool Authorized(const Request& q, Response& s, std::string& user) {
    const Outcome o = store_.UserOf(q.get_header_value("Authorization"), user);
    if (o == Outcome::kOk) {
      millrace::app_metrics::Request::Current()->SetUser(user);
      return true;
    }
    Reply(s, StatusOf(o, 401), "log in first");
    return false;
  }

  void Send(const Request& q, Response& s) {
    Weather();
    std::string user;
    if (!Authorized(q, s, user)) return;
    Outcome o = store_.Send(user, q.get_param_value("to"), q.get_param_value("text"));
    if (switches_.messages) o = Outcome::kFailed;
    metrics_.message_sent(o == Outcome::kOk);
    Reply(s, StatusOf(o, 404), o == Outcome::kOk ? "sent" : "not sent");
  }

  void Inbox(const Request& q, Response& s) {
    Weather();
    std::string user, text;
    if (!Authorized(q, s, user)) return;
    std::vector<std::string> messages;
    const Outcome o = store_.Inbox(user, messages);
    for (const std::string& m : messages) text += m + "\n";
    Reply(s, StatusOf(o, 404), text);
  }

  void Switch(const Request& q, Response& s) {
    const std::string part = q.matches[2];
    if (q.matches[1] == "break" && part == "crash") std::abort();
    std::atomic<bool>* which = switches_.Find(part);
    if (which == nullptr) return Reply(s, 404, "slow, errors, login, messages or crash");
    *which = q.matches[1] == "break";
    Reply(s, 200, part + (*which ? " is broken" : " works"));
  }

  millrace::AppMetrics& metrics_;
  example::Store& store_;
  Switches switches_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s PORT POSTGRES_CONNINFO REDIS_PORT [ACCESS_LOG]\n", argv[0]);
    return 2;
  }
  namespace mam = millrace::app_metrics;
  mam::Options options;
  options.service = "example";
  if (argc > 4) options.access_log.path = argv[4];
  httplib::Server server;
  millrace::AppMetrics metrics(options);
  metrics.attach(server);

  example::StoreOptions where;
  where.postgres = argv[2];
  where.redis_port = std::atoi(argv[3]);
  metrics.add_check(mam::checks::Postgres("database", where.postgres));
  metrics.add_check(
      mam::checks::Redis("redis", where.redis_host, static_cast<std::uint16_t>(where.redis_port)));
  metrics.add_check(mam::checks::DiskSpace("disk", "/", 0.05));
  mam::SentryOptions sentry;  // SENTRY_DSN, APP_ENV, APP_VERSION
  if (const char* spool = std::getenv("SENTRY_SPOOL")) {
    sentry.spool_dir = spool;
    sentry.handle_crashes = true;
  }
  metrics.set_error_reporter(mam::MakeSentryReporter(sentry));

  example::Store store(where, metrics);
  if (!store.Prepare()) std::fprintf(stderr, "The tables could not be made; going on without\n");
  Backend backend(metrics, store);
  backend.AddRoutes(server);
  return server.listen("127.0.0.1", std::atoi(argv[1])) ? 0 : 1;
}
