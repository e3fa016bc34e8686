#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "exporters/node/attributes.h"
#include "exporters/node/bus.h"

namespace millrace::node {
namespace {

constexpr const char* kService = "org.freedesktop.login1";
// Values that systemd knows; a newer one counts as "other".
constexpr std::string_view kTypes[] = {"other",   "unspecified", "tty", "x11",
                                       "wayland", "mir",         "web"};
constexpr std::string_view kClasses[] = {"other", "user", "greeter", "lock-screen", "background"};

template <std::size_t N>
std::string KnownOrOther(const std::string& value, const std::string_view (&known)[N]) {
  return std::find(std::begin(known), std::end(known), value) == std::end(known) ? "other" : value;
}

class Logind : public Collector {
 public:
  explicit Logind(const Context&) {}

  Status Collect(MetricWriter& out) override {
    if (!bus_) {
      MILLRACE_ASSIGN(bus_, SystemBus::Open());
    }
    Status status = CollectAll(out);
    if (!status) bus_.reset();
    return status;
  }

 private:
  Status CollectAll(MetricWriter& out) {
    const BusObject manager{kService, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"};
    MILLRACE_ASSIGN(const auto seat_list, bus_->List(manager, "ListSeats", "so"));
    MILLRACE_ASSIGN(const auto session_list, bus_->List(manager, "ListSessions", "susso"));
    std::vector<std::string> seats;
    for (const auto& s : seat_list) seats.push_back(s[0]);
    seats.emplace_back();  // sessions from elsewhere, such as ssh, have no seat
    std::map<std::tuple<std::string, bool, std::string, std::string>, double> counts;
    for (const auto& s : session_list) {
      const BusObject session{kService, s[4], "org.freedesktop.login1.Session"};
      const auto remote = bus_->Number(session, "Remote", 'b');
      const auto type = bus_->Text(session, "Type");
      const auto session_class = bus_->Text(session, "Class");
      if (!remote || !type || !session_class) continue;  // it ended meanwhile
      counts[{s[3], *remote != 0, KnownOrOther(*type, kTypes),
              KnownOrOther(*session_class, kClasses)}] += 1;
    }
    out.Family("node_logind_sessions", kGauge, "Sessions that logind knows.");
    for (const bool remote : {true, false})
      for (const std::string_view type : kTypes)
        for (const std::string_view session_class : kClasses)
          for (const std::string& seat : seats) {
            const auto at =
                counts.find({seat, remote, std::string(type), std::string(session_class)});
            out.Sample({{"class", session_class},
                        {"remote", remote ? "true" : "false"},
                        {"seat", seat},
                        {"type", type}},
                       at == counts.end() ? 0 : at->second);
          }
    return {};
  }

  std::unique_ptr<SystemBus> bus_;
};

}  // namespace

MILLRACE_COLLECTOR(Logind) = {"logind", false, "Sessions of logind, over D-Bus", nullptr,
                              &MakeCollector<Logind>};

}  // namespace millrace::node
