#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Documentation/ABI/testing/sysfs-class-watchdog
constexpr NumberFile kFiles[] = {
    {"bootstatus", {"node_watchdog_bootstatus", kGauge, "Status of the watchdog at the boot."}},
    {"fw_version", {"node_watchdog_fw_version", kGauge, "Version of the firmware."}},
    {"nowayout", {"node_watchdog_nowayout", kGauge, "1 if it cannot be stopped once started."}},
    {"timeleft",
     {"node_watchdog_timeleft_seconds", kGauge, "Time until the watchdog resets the machine."}},
    {"timeout", {"node_watchdog_timeout_seconds", kGauge, "Time allowed between two pings."}},
    {"pretimeout",
     {"node_watchdog_pretimeout_seconds", kGauge, "Time before the reset for a warning."}},
    {"access_cs0", {"node_watchdog_access_cs0", kGauge, "1 if it booted from the second flash."}},
};

class Watchdog : public Collector {
 public:
  explicit Watchdog(const Context& context) : class_(context.paths.Sys("class/watchdog")) {}

  Status Collect(MetricWriter& out) override {
    if (!names_.Read(class_)) return NoData("no " + class_);
    for (const std::string_view name : names_) {
      directory_.assign(class_).append("/").append(name);
      MILLRACE_TRY(EmitNumberFiles(files_, path_, directory_, kFiles, {{"name", name}}, out));
      const auto text = [&](std::string_view file) {
        return TextOf(files_, path_, directory_, file);
      };
      Emit(out, {"node_watchdog_info", kGauge, "Always 1; what a watchdog is."},
           {{"identity", text("identity")},
            {"name", name},
            {"options", text("options")},
            {"pretimeout_governor", text("pretimeout_governor")},
            {"state", text("state")},
            {"status", text("status")}},
           1);
    }
    return {};
  }

 private:
  const std::string class_;
  FileReader files_;
  DirList names_;
  std::string path_, directory_;
};

}  // namespace

MILLRACE_COLLECTOR(Watchdog) = {"watchdog", true, "Watchdog devices", nullptr,
                                &MakeCollector<Watchdog>};

}  // namespace millrace::node
