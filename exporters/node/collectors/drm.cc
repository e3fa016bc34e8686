#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Documentation/gpu/amdgpu/driver-misc.rst
constexpr NumberFile kFiles[] = {
    {"device/gpu_busy_percent", {"node_drm_gpu_busy_percent", kGauge, "How busy the GPU is."}},
    {"device/mem_info_gtt_total",
     {"node_drm_memory_gtt_size_bytes", kGauge, "Size of the GTT, memory mapped to the GPU."}},
    {"device/mem_info_gtt_used",
     {"node_drm_memory_gtt_used_bytes", kGauge, "Used part of the GTT."}},
    {"device/mem_info_vis_vram_total",
     {"node_drm_memory_vis_vram_size_bytes", kGauge, "Size of the video memory the CPU sees."}},
    {"device/mem_info_vis_vram_used",
     {"node_drm_memory_vis_vram_used_bytes", kGauge, "Used part of it."}},
    {"device/mem_info_vram_total",
     {"node_drm_memory_vram_size_bytes", kGauge, "Size of the video memory."}},
    {"device/mem_info_vram_used",
     {"node_drm_memory_vram_used_bytes", kGauge, "Used part of the video memory."}},
};

class Drm : public Collector {
 public:
  explicit Drm(const Context& context) : class_(context.paths.Sys("class/drm")) {}

  Status Collect(MetricWriter& out) override {
    if (!names_.Read(class_)) return {};
    for (const std::string_view card : names_) {
      // "card0", not its connectors "card0-HDMI-A-1".
      if (card.size() != 5 || !card.starts_with("card") || card[4] < '0' || card[4] > '9') continue;
      directory_.assign(class_).append("/").append(card);
      const std::string uevent = TextOf(files_, path_, directory_, "device/uevent");
      if (uevent.find("DRIVER=amdgpu") == std::string::npos) continue;
      const auto text = [&](std::string_view file) {
        return TextOf(files_, path_, directory_, file);
      };
      Emit(out, {"node_drm_card_info", kGauge, "Always 1; what a graphics card is."},
           {{"card", card},
            {"memory_vendor", text("device/mem_info_vram_vendor")},
            {"power_performance_level", text("device/power_dpm_force_performance_level")},
            {"unique_id", text("device/unique_id")},
            {"vendor", "amd"}},
           1);
      for (const NumberFile& f : kFiles)
        Emit(out, f.metric, {{"card", card}},
             static_cast<double>(
                 files_.TryUnsigned(JoinPath(path_, {directory_, f.file})).value_or(0)));
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

MILLRACE_COLLECTOR(Drm) = {"drm", false, "AMD graphics cards", nullptr, &MakeCollector<Drm>};

}  // namespace millrace::node
