#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::string_view kStates[] = {"connecting", "dead",      "deleting", "live",
                                        "new",        "resetting", "unknown"};

std::string_view StateOf(std::string_view raw) {
  if (raw == "deleting (no IO)") return "deleting";
  for (const std::string_view s : kStates)
    if (s == raw) return s;
  return "unknown";
}

/// "nvme3" (a controller) or "nvme3n1" (a namespace); 0 if it is neither.
char KindOf(std::string_view name) {
  if (!name.starts_with("nvme")) return 0;
  name.remove_prefix(4);
  const std::string_view digits = NextPiece(name, 'n');
  const auto number = [](std::string_view s) { return ParseNumber<unsigned>(s).has_value(); };
  if (!number(digits)) return 0;
  if (name.empty()) return 'c';
  return number(name) ? 'n' : char{0};
}

class Nvmesubsystem : public Collector {
 public:
  explicit Nvmesubsystem(const Context& context)
      : class_(context.paths.Sys("class/nvme-subsystem")) {}

  Status Collect(MetricWriter& out) override {
    if (!subsystems_.Read(class_)) return NoData("no " + class_);
    for (const std::string_view name : subsystems_)
      if (name.starts_with("nvme-subsys")) MILLRACE_TRY(CollectOne(name, out));
    return {};
  }

 private:
  Status CollectOne(std::string_view subsystem, MetricWriter& out) {
    directory_.assign(class_).append("/").append(subsystem);
    const auto text = [&](std::string_view file) {
      return TextOf(files_, path_, directory_, file);
    };
    Emit(out, {"node_nvmesubsystem_info", kGauge, "Always 1; what an NVMe subsystem is."},
         {{"iopolicy", text("iopolicy")},
          {"model", text("model")},
          {"nqn", text("subsysnqn")},
          {"serial", text("serial")},
          {"subsystem", subsystem}},
         1);
    MILLRACE_TRY(entries_.Read(directory_));
    double paths = 0, live = 0;
    for (const std::string_view entry : entries_) {
      const char kind = KindOf(entry);
      if (kind == 'n')
        Emit(out, {"node_nvmesubsystem_namespace_info", kGauge, "Always 1; a namespace of it."},
             {{"device", entry}, {"subsystem", subsystem}}, 1);
      if (kind != 'c') continue;
      file_.assign(entry).append("/state");
      const std::string raw = text(file_);
      file_.assign(entry).append("/transport");
      const std::string transport = text(file_);
      const std::string_view state = StateOf(raw);
      ++paths;
      if (state == "live") ++live;
      for (const std::string_view s : kStates)
        Emit(out, {"node_nvmesubsystem_path_state", kGauge, "1 for the state a controller is in."},
             {{"controller", entry},
              {"state", s},
              {"subsystem", subsystem},
              {"transport", transport}},
             s == state ? 1 : 0);
    }
    Emit(out, {"node_nvmesubsystem_paths", kGauge, "Controllers of a subsystem."},
         {{"subsystem", subsystem}}, paths);
    Emit(out, {"node_nvmesubsystem_paths_live", kGauge, "Controllers that are live."},
         {{"subsystem", subsystem}}, live);
    return {};
  }

  const std::string class_;
  FileReader files_;
  DirList subsystems_, entries_;
  std::string path_, directory_, file_;
};

}  // namespace

MILLRACE_COLLECTOR(Nvmesubsystem) = {"nvmesubsystem", false, "NVMe subsystems and their paths",
                                     nullptr, &MakeCollector<Nvmesubsystem>};

}  // namespace millrace::node
