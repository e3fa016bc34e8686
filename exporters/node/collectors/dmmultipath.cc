#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Dmmultipath : public Collector {
 public:
  explicit Dmmultipath(const Context& context) : block_(context.paths.Sys("block")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(names_.Read(block_));
    for (const std::string_view name : names_) {
      if (!name.starts_with("dm-")) continue;
      directory_.assign(block_).append("/").append(name);
      const std::string uuid = TextOf(files_, path_, directory_, "dm/uuid");
      if (!uuid.starts_with("mpath-")) continue;
      MILLRACE_TRY(CollectDevice(name, uuid, out));
    }
    return {};
  }

 private:
  Status CollectDevice(std::string_view name, std::string_view uuid, MetricWriter& out) {
    MILLRACE_ASSIGN(const std::string_view text,
                    files_.Read(JoinPath(path_, {directory_, "dm/name"})));
    const std::string device(Trim(text));
    const auto suspended = files_.TryUnsigned(JoinPath(path_, {directory_, "dm/suspended"}));
    const auto sectors = files_.TryUnsigned(JoinPath(path_, {directory_, "size"}));
    if (!suspended || !sectors) return BadContent(directory_, "device", device);
    Emit(out, {"node_dmmultipath_device_info", kGauge, "Always 1; what a multipath device is."},
         {{"device", device}, {"sysfs_name", name}, {"uuid", uuid}}, 1);
    const std::initializer_list<Label> labels = {{"device", device}, {"sysfs_name", name}};
    Emit(out,
         {"node_dmmultipath_device_active", kGauge, "1 if the device is active, 0 if suspended."},
         labels, *suspended == 1 ? 0 : 1);
    Emit(out, {"node_dmmultipath_device_size_bytes", kGauge, "Size of the device."}, labels,
         static_cast<double>(*sectors) * 512);
    double active = 0, failed = 0;
    if (paths_.Read(JoinPath(path_, {directory_, "slaves"}))) {
      for (const std::string_view slave : paths_) {
        MILLRACE_ASSIGN(const std::string_view raw,
                        files_.Read(JoinPath(path_, {block_, slave, "device/state"})));
        const std::string_view state = Trim(raw);
        // SCSI says running, NVMe says live.
        ++(state == "running" || state == "live" ? active : failed);
        Emit(out, {"node_dmmultipath_path_state", kGauge, "Always 1; state of a path."},
             {{"device", device}, {"path", slave}, {"state", state}}, 1);
      }
    }
    Emit(out, {"node_dmmultipath_device_paths", kGauge, "Paths of the device."}, labels,
         active + failed);
    Emit(out, {"node_dmmultipath_device_paths_active", kGauge, "Paths that work."}, labels, active);
    Emit(out, {"node_dmmultipath_device_paths_failed", kGauge, "Paths that do not."}, labels,
         failed);
    return {};
  }

  const std::string block_;
  FileReader files_;
  DirList names_, paths_;
  std::string path_, directory_;
};

}  // namespace

MILLRACE_COLLECTOR(Dmmultipath) = {"dmmultipath", true, "Device-mapper multipath devices", nullptr,
                                   &MakeCollector<Dmmultipath>};

}  // namespace millrace::node
