#include "exporters/node/attributes.h"
#include "exporters/node/read_once.h"

namespace millrace::node {
namespace {

/// supervise/status of runit (src/sv.c): TAI64N time, process, paused, wanted, signalled, state.
struct RunitStatus {
  double changed = 0;  ///< Seconds since 1970.
  int wanted = 0;      ///< 1 = up.
  int state = 0;       ///< 0 down, 1 run, 2 finish.
};
std::optional<RunitStatus> ParseRunitStatus(std::string_view bytes) {
  if (bytes.size() < 20) return std::nullopt;
  std::uint64_t tai = 0;
  for (const char c : bytes.substr(0, 8)) tai = tai << 8 | static_cast<unsigned char>(c);
  constexpr std::uint64_t kTaiOffset = (std::uint64_t{1} << 62) + 10;
  RunitStatus s;
  s.changed = static_cast<double>(static_cast<std::int64_t>(tai - kTaiOffset));
  s.wanted = bytes[17] == 'u' ? 1 : 0;
  s.state = static_cast<unsigned char>(bytes[19]);
  return s;
}

class Runit : public Collector {
 public:
  explicit Runit(const Context& context)
      : root_(context.flags.GetText("collector.runit.servicedir")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(names_.Read(root_));
    for (const std::string_view service : names_) {
      JoinPath(path_, {root_, service, "supervise/status"});
      if (ReadOnce(path_, text_) != 0) continue;
      const auto status = ParseRunitStatus(text_);
      if (!status) continue;
      const std::initializer_list<Label> labels = {{"service", service}, {"supervisor", "runit"}};
      Emit(out, {"node_service_state", kGauge, "0 = down, 1 = runs, 2 = finishes."}, labels,
           status->state);
      Emit(out, {"node_service_desired_state", kGauge, "1 if the service is to run."}, labels,
           status->wanted);
      Emit(out,
           {"node_service_state_last_change_timestamp_seconds", kGauge,
            "When the state changed last."},
           labels, status->changed);
      JoinPath(path_, {root_, service, "supervise/down"});
      Emit(out, {"node_service_normal_state", kGauge, "1 if the service normally runs."}, labels,
           Exists(path_) ? 0 : 1);
    }
    return {};
  }

 private:
  const std::string root_;
  DirList names_;
  std::string path_, text_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.runit.servicedir", "/etc/service", "Directory of runit's services.");
}

}  // namespace

MILLRACE_COLLECTOR(Runit) = {"runit", false, "Services of runit", &Declare, &MakeCollector<Runit>};

}  // namespace millrace::node
