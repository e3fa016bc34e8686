// The systemd and logind collectors against a bus of our own with a service that answers as they
// do.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

namespace millrace::node {
namespace {

using Catch::Contains;

/// A dbus-daemon that lives as long as this; `address` is empty when there is none installed.
class PrivateBus {
 public:
  explicit PrivateBus(const test::Tree& tree) {
    tree.Write("bus.conf",
               "<busconfig><listen>unix:tmpdir=" + tree.root() +
                   "</listen><auth>EXTERNAL</auth><policy context=\"default\">"
                   "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/>"
                   "<allow user=\"*\"/></policy></busconfig>");
    int pipe_fds[2];
    REQUIRE(::pipe(pipe_fds) == 0);
    const Fd read_end(pipe_fds[0]);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(pipe_fds[1], 1);
      const std::string config = "--config-file=" + tree.root() + "/bus.conf";
      ::execlp("dbus-daemon", "dbus-daemon", config.c_str(), "--nofork", "--print-address",
               static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(pipe_fds[1]);
    char c = 0;
    while (::read(read_end.get(), &c, 1) == 1 && c != '\n') address += c;
  }
  ~PrivateBus() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string address;

 private:
  pid_t pid_ = -1;
};

int ListUnits(sd_bus_message* m, void*, sd_bus_error*) {
  sd_bus_message* reply = nullptr;
  sd_bus_message_new_method_return(m, &reply);
  sd_bus_message_open_container(reply, 'a', "(ssssssouso)");
  for (const char* name : {"a.service", "b.timer", "c.mount"})
    sd_bus_message_append(reply, "(ssssssouso)", name, "", "loaded",
                          std::strcmp(name, "b.timer") == 0 ? "failed" : "active", "", "",
                          std::strcmp(name, "a.service") == 0 ? "/unit/a" : "/unit/b", 0U, "", "/");
  sd_bus_message_close_container(reply);
  const int rc = sd_bus_send(nullptr, reply, nullptr);
  sd_bus_message_unref(reply);
  return rc;
}
int ListSeats(sd_bus_message* m, void*, sd_bus_error*) {
  return sd_bus_reply_method_return(m, "a(so)", 1, "seat0", "/seat");
}
int ListSessions(sd_bus_message* m, void*, sd_bus_error*) {
  return sd_bus_reply_method_return(m, "a(susso)", 1, "1", 1000U, "u", "seat0", "/session");
}
int Text(sd_bus*, const char*, const char*, const char* property, sd_bus_message* reply, void*,
         sd_bus_error*) {
  const std::string name = property;
  return sd_bus_message_append(reply, "s",
                               name == "Version"       ? "252.39-1"
                               : name == "SystemState" ? "running"
                               : name == "Type"        ? "simple"
                               : name == "Class"       ? "future-class"
                                                       : "");
}
int Counter(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void*,
            sd_bus_error*) {
  return sd_bus_message_append(reply, "u", 7U);
}
int Time(sd_bus*, const char*, const char*, const char* property, sd_bus_message* reply, void*,
         sd_bus_error*) {
  const bool unset = std::strcmp(property, "TasksMax") == 0;
  return sd_bus_message_append(reply, "t", unset ? ~std::uint64_t{0} : std::uint64_t{1'500'000});
}
int Yes(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void*,
        sd_bus_error*) {
  return sd_bus_message_append(reply, "b", 1);
}

const sd_bus_vtable kManager[] = {SD_BUS_VTABLE_START(0),
                                  SD_BUS_METHOD("ListUnits", "", "a(ssssssouso)", ListUnits, 0),
                                  SD_BUS_PROPERTY("Version", "s", Text, 0, 0),
                                  SD_BUS_PROPERTY("Virtualization", "s", Text, 0, 0),
                                  SD_BUS_PROPERTY("SystemState", "s", Text, 0, 0),
                                  SD_BUS_VTABLE_END};
const sd_bus_vtable kService[] = {SD_BUS_VTABLE_START(0),
                                  SD_BUS_PROPERTY("Type", "s", Text, 0, 0),
                                  SD_BUS_PROPERTY("NRestarts", "u", Counter, 0, 0),
                                  SD_BUS_PROPERTY("TasksCurrent", "t", Time, 0, 0),
                                  SD_BUS_PROPERTY("TasksMax", "t", Time, 0, 0),
                                  SD_BUS_VTABLE_END};
const sd_bus_vtable kTimer[] = {
    SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("LastTriggerUSec", "t", Time, 0, 0), SD_BUS_VTABLE_END};
const sd_bus_vtable kLogin[] = {
    SD_BUS_VTABLE_START(0), SD_BUS_METHOD("ListSeats", "", "a(so)", ListSeats, 0),
    SD_BUS_METHOD("ListSessions", "", "a(susso)", ListSessions, 0), SD_BUS_VTABLE_END};
const sd_bus_vtable kSession[] = {SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("Remote", "b", Yes, 0, 0),
                                  SD_BUS_PROPERTY("Type", "s", Text, 0, 0),
                                  SD_BUS_PROPERTY("Class", "s", Text, 0, 0), SD_BUS_VTABLE_END};

/// Serves both managers until `stop`.
void Serve(const std::string& address, std::atomic<bool>& ready, const std::atomic<bool>& stop) {
  sd_bus* bus = nullptr;
  sd_bus_new(&bus);
  sd_bus_set_address(bus, address.c_str());
  sd_bus_set_bus_client(bus, 1);
  sd_bus_start(bus);
  const auto add = [bus](const char* path, const char* interface, const sd_bus_vtable* table) {
    sd_bus_add_object_vtable(bus, nullptr, path, interface, table, nullptr);
  };
  add("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", kManager);
  add("/unit/a", "org.freedesktop.systemd1.Service", kService);
  add("/unit/b", "org.freedesktop.systemd1.Timer", kTimer);
  add("/org/freedesktop/login1", "org.freedesktop.login1.Manager", kLogin);
  add("/session", "org.freedesktop.login1.Session", kSession);
  sd_bus_request_name(bus, "org.freedesktop.systemd1", 0);
  sd_bus_request_name(bus, "org.freedesktop.login1", 0);
  ready = true;
  while (!stop)
    if (sd_bus_process(bus, nullptr) <= 0) sd_bus_wait(bus, 50'000);
  sd_bus_flush_close_unref(bus);
}

TEST_CASE("systemd and logind over D-Bus") {
  const test::Tree tree({});
  const PrivateBus bus(tree);
  if (bus.address.empty()) {
    WARN("SKIPPED: dbus-daemon is not installed");
    return;
  }
  std::atomic<bool> ready{false}, stop{false};
  std::thread service([&] { Serve(bus.address, ready, stop); });
  while (!ready) std::this_thread::yield();
  ::setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address.c_str(), 1);

  const auto systemd = test::Collected(
      "systemd", {},
      {"--collector.systemd.enable-restarts-metrics", "--collector.systemd.enable-task-metrics"});
  CHECK_THAT(systemd,
             Contains("node_systemd_version{version=\"252.39-1\"} 252.39\n") &&
                 Contains("node_systemd_virtualization_info{virtualization_type=\"none\"} 1\n") &&
                 Contains("node_systemd_system_running 1\n") &&
                 Contains("node_systemd_units{state=\"active\"} 2\n") &&
                 Contains("node_systemd_unit_state{name=\"a.service\",state=\"active\",type="
                          "\"simple\"} 1\n") &&
                 Contains("node_systemd_service_restart_total{name=\"a.service\"} 7\n") &&
                 Contains("node_systemd_unit_tasks_current{name=\"a.service\"} 1.5e+06\n") &&
                 Contains("node_systemd_timer_last_trigger_seconds{name=\"b.timer\"} 1.5\n") &&
                 !Contains("tasks_max") && !Contains("c.mount") && !Contains("error"));
  const auto logind = test::Collected("logind", {});
  CHECK_THAT(logind, Contains("node_logind_sessions{class=\"other\",remote=\"true\",seat=\"seat0\","
                              "type=\"other\"} 1\n") &&
                         Contains("seat=\"\",type=\"tty\"} 0\n") && !Contains("error"));
  stop = true;
  service.join();

  ::setenv("DBUS_SYSTEM_BUS_ADDRESS", ("unix:path=" + tree.root() + "/none").c_str(), 1);
  CHECK_THAT(test::Collected("systemd", {}), Contains("error: connect to the system bus"));
  ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

}  // namespace
}  // namespace millrace::node
