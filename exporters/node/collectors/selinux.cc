#include <linux/magic.h>
#include <sys/vfs.h>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

#ifndef SELINUX_MAGIC
constexpr unsigned long SELINUX_MAGIC = 0xf97cff8c;
#endif

/// Of the kernel we run on, like the original: not below --path.sysfs.
class Selinux : public Collector {
 public:
  explicit Selinux(const Context&) {}

  Status Collect(MetricWriter& out) override {
    const bool enabled = Enabled();
    out.Gauge("node_selinux_enabled", "1 when SELinux is enabled.", enabled ? 1 : 0);
    if (!enabled) return {};
    out.Gauge("node_selinux_config_mode",
              "Mode in the configuration: 1 enforcing, 0 permissive, -1 disabled.",
              ConfiguredMode());
    const auto mode = files_.TrySigned("/sys/fs/selinux/enforce");
    out.Gauge("node_selinux_current_mode", "Mode now: 1 enforcing, 0 permissive, -1 unknown.",
              static_cast<double>(mode.value_or(-1)));
    return {};
  }

 private:
  static bool Enabled() {
    struct statfs s{};
    return ::statfs("/sys/fs/selinux", &s) == 0 &&
           static_cast<std::uint32_t>(s.f_type) == static_cast<std::uint32_t>(SELINUX_MAGIC);
  }

  double ConfiguredMode() {
    const auto text = files_.Try("/etc/selinux/config");
    std::string_view rest = text.value_or("");
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view value = Trim(line);
      if (Trim(NextPiece(value, '=')) != "SELINUX") continue;
      if (Trim(value) == "enforcing") return 1;
      if (Trim(value) == "permissive") return 0;
    }
    return -1;
  }

  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Selinux) = {"selinux", true, "Mode of SELinux", nullptr,
                               &MakeCollector<Selinux>};

}  // namespace millrace::node
