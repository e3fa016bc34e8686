#include <map>
#include <memory>

#include "common/log/log.h"
#include "exporters/node/attributes.h"
#include "exporters/node/bus.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kUnitInterface = "org.freedesktop.systemd1.Unit";
constexpr const char* kServiceInterface = "org.freedesktop.systemd1.Service";
constexpr const char* kSocketInterface = "org.freedesktop.systemd1.Socket";
constexpr std::string_view kStates[] = {"active", "activating", "deactivating", "inactive",
                                        "failed"};
constexpr std::uint64_t kUnset = ~std::uint64_t{0};

BusObject Manager() {
  return {kService, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"};
}

/// "252.39-1~deb12u2" -> 252.39: the first run of at least three digits, with what follows a dot.
double VersionNumber(std::string_view text) {
  const auto digits = [&text](std::size_t from) {
    return std::min(text.find_first_not_of("0123456789", from), text.size());
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] < '0' || text[at] > '9') continue;
    std::size_t end = digits(at);
    if (end - at >= 3) {
      if (end < text.size() && text[end] == '.' && digits(end + 1) > end + 1) end = digits(end + 1);
      return ParseNumber<double>(text.substr(at, end - at)).value_or(0);
    }
    at = end;
  }
  return 0;
}

struct Unit {
  std::string name, load, active, path;
};

class Systemd : public Collector {
 public:
  Systemd(const Context& context, Pattern include, Pattern exclude)
      : tasks_(context.flags.GetSwitch("collector.systemd.enable-task-metrics")),
        restarts_(context.flags.GetSwitch("collector.systemd.enable-restarts-metrics")),
        start_times_(context.flags.GetSwitch("collector.systemd.enable-start-time-metrics")),
        include_(std::move(include)),
        exclude_(std::move(exclude)) {}

  Status Collect(MetricWriter& out) override {
    if (!bus_) {
      MILLRACE_ASSIGN(bus_, SystemBus::Open());
    }
    Status status = CollectAll(out);
    if (!status) bus_.reset();  // connected anew the next time
    return status;
  }

 private:
  Status CollectAll(MetricWriter& out) {
    const std::string version = bus_->Text(Manager(), "Version").value_or("");
    Emit(out, {"node_systemd_version", kGauge, "Version of systemd."}, {{"version", version}},
         VersionNumber(version));
    const auto virtualization = bus_->Text(Manager(), "Virtualization");
    Emit(out, {"node_systemd_virtualization_info", kGauge, "Always 1; kind of virtualization."},
         {{"virtualization_type", !virtualization           ? std::string_view("unknown")
                                  : virtualization->empty() ? std::string_view("none")
                                                            : *virtualization}},
         1);
    // name, description, load, active, sub, following, path, job, job type, job path
    MILLRACE_ASSIGN(const auto list, bus_->List(Manager(), "ListUnits", "ssssssouso"));
    std::map<std::string, double, std::less<>> summary;
    for (const std::string_view state : kStates) summary.emplace(state, 0);
    std::vector<Unit> units;
    for (const auto& u : list) {
      ++summary[u[3]];
      if (u[2] == "loaded" && include_.Matches(u[0]) && !exclude_.Matches(u[0]))
        units.push_back({u[0], u[2], u[3], u[6]});
    }
    for (const auto& [state, count] : summary)
      Emit(out, {"node_systemd_units", kGauge, "Units by state."}, {{"state", state}}, count);
    for (const Unit& unit : units) CollectUnit(unit, out);
    if (VersionNumber(version) < 212) return {};  // SystemState is from systemd 212
    MILLRACE_ASSIGN(const std::string state, bus_->Text(Manager(), "SystemState"));
    out.Gauge("node_systemd_system_running", "1 if the system is fully operational.",
              state == "running" ? 1 : 0);
    return {};
  }

  /// One property as a metric; nothing when the unit lacks it or it is not set.
  void EmitNumber(const Unit& unit, const char* interface, const char* property, char type,
                  const Metric& metric, double divisor, MetricWriter& out) {
    const auto value = bus_->Number({kService, unit.path, interface}, property, type);
    if (!value) {
      if (log::Enabled(log::Level::kDebug))
        log::Debug("Cannot read a property of a unit",
                   {{"unit", unit.name}, {"error", value.error()}});
      return;
    }
    if (type == 't' && *value == kUnset) return;
    Emit(out, metric, {{"name", unit.name}}, static_cast<double>(*value) / divisor);
  }

  void CollectUnit(const Unit& unit, MetricWriter& out) {
    const bool service = unit.name.ends_with(".service");
    std::string type;
    if (service || unit.name.ends_with(".mount"))
      type = bus_->Text({kService, unit.path,
                         service ? kServiceInterface : "org.freedesktop.systemd1.Mount"},
                        "Type")
                 .value_or("");
    for (const std::string_view state : kStates)
      Emit(out, {"node_systemd_unit_state", kGauge, "1 for the state a unit is in."},
           {{"name", unit.name}, {"state", state}, {"type", type}}, state == unit.active ? 1 : 0);
    if (service && restarts_)
      EmitNumber(unit, kServiceInterface, "NRestarts", 'u',
                 {"node_systemd_service_restart_total", kCounter, "Restarts of a service."}, 1,
                 out);
    if (start_times_) CollectStartTime(unit, out);
    if (service && tasks_) {
      EmitNumber(unit, kServiceInterface, "TasksCurrent", 't',
                 {"node_systemd_unit_tasks_current", kGauge, "Tasks of a unit."}, 1, out);
      EmitNumber(unit, kServiceInterface, "TasksMax", 't',
                 {"node_systemd_unit_tasks_max", kGauge, "Most tasks a unit may have."}, 1, out);
    }
    if (unit.name.ends_with(".timer"))
      EmitNumber(unit, "org.freedesktop.systemd1.Timer", "LastTriggerUSec", 't',
                 {"node_systemd_timer_last_trigger_seconds", kGauge,
                  "When a timer was triggered last, seconds since 1970."},
                 1e6, out);
    if (!unit.name.ends_with(".socket")) return;
    EmitNumber(unit, kSocketInterface, "NAccepted", 'u',
               {"node_systemd_socket_accepted_connections_total", kCounter,
                "Connections that a socket accepted."},
               1, out);
    EmitNumber(unit, kSocketInterface, "NConnections", 'u',
               {"node_systemd_socket_current_connections", kGauge, "Connections of a socket."}, 1,
               out);
    // The original's type of this counter is gauge.
    EmitNumber(unit, kSocketInterface, "NRefused", 'u',
               {"node_systemd_socket_refused_connections_total", kGauge,
                "Connections that a socket refused."},
               1, out);
  }

  void CollectStartTime(const Unit& unit, MetricWriter& out) {
    const Metric metric{"node_systemd_unit_start_time_seconds", kGauge,
                        "When a unit was started, seconds since 1970; 0 if it is not active."};
    if (unit.active == "active")
      EmitNumber(unit, kUnitInterface, "ActiveEnterTimestamp", 't', metric, 1e6, out);
    else
      Emit(out, metric, {{"name", unit.name}}, 0);
  }

  const bool tasks_, restarts_, start_times_;
  const Pattern include_, exclude_;
  std::unique_ptr<SystemBus> bus_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.systemd.unit-include", ".+", "Regexp of units to include.");
  flags.Text("collector.systemd.unit-exclude", ".+\\.(automount|device|mount|scope|slice)",
             "Regexp of units to leave out.");
  flags.Switch("collector.systemd.enable-task-metrics", false, "Tasks of services.");
  flags.Switch("collector.systemd.enable-restarts-metrics", false, "Restarts of services.");
  flags.Switch("collector.systemd.enable-start-time-metrics", false, "Start times of units.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  const auto whole = [](const std::string& expression) { return "^(?:" + expression + ")$"; };
  MILLRACE_ASSIGN(Pattern include,
                  Pattern::Make(whole(context.flags.GetText("collector.systemd.unit-include"))));
  MILLRACE_ASSIGN(Pattern exclude,
                  Pattern::Make(whole(context.flags.GetText("collector.systemd.unit-exclude"))));
  return std::make_unique<Systemd>(context, std::move(include), std::move(exclude));
}

}  // namespace

MILLRACE_COLLECTOR(Systemd) = {"systemd", false, "Units of systemd, over D-Bus", &Declare, &Make};

}  // namespace millrace::node
