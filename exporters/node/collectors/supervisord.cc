#include "common/base/strings.h"
#include "exporters/node/attributes.h"
#include "exporters/node/collectors/xmlrpc.h"

namespace millrace::node {
namespace {

// http://supervisord.org/subprocess.html#process-states
constexpr int kStarting = 10, kRunning = 20, kStopping = 40;

std::string_view TextOf(const XmlRpcStruct& s, std::string_view key) {
  const auto at = s.find(key);
  return at == s.end() ? std::string_view() : std::string_view(at->second);
}

class Supervisord : public Collector {
 public:
  explicit Supervisord(const Context& context)
      : url_(context.flags.GetText("collector.supervisord.url")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(const std::string answer, CallXmlRpc(url_, "supervisor.getAllProcessInfo"));
    MILLRACE_ASSIGN(const auto processes, ParseXmlRpcStructs(answer));
    for (const XmlRpcStruct& p : processes) {
      const auto number = [&](std::string_view key) {
        return ParseNumber<double>(TextOf(p, key)).value_or(0);
      };
      const std::initializer_list<Label> labels = {{"group", TextOf(p, "group")},
                                                   {"name", TextOf(p, "name")}};
      const double state = number("state");
      const bool up = state == kStarting || state == kRunning || state == kStopping;
      Emit(out, {"node_supervisord_state", kGauge, "State of a process, as supervisord counts."},
           labels, state);
      Emit(out, {"node_supervisord_exit_status", kGauge, "Exit status of a process."}, labels,
           number("exitstatus"));
      Emit(out, {"node_supervisord_up", kGauge, "1 if a process runs."}, labels, up ? 1 : 0);
      if (up)
        Emit(out,
             {"node_supervisord_start_time_seconds", kCounter,
              "When a process was started, seconds since 1970."},
             labels, number("start"));
    }
    return {};
  }

 private:
  const std::string url_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.supervisord.url", "http://localhost:9001/RPC2",
             "XML-RPC address of supervisord: http://... or unix:///path.");
}

}  // namespace

MILLRACE_COLLECTOR(Supervisord) = {"supervisord", false, "Processes of supervisord", &Declare,
                                   &MakeCollector<Supervisord>};

}  // namespace millrace::node
