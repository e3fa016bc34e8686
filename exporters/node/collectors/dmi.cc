#include <array>
#include <string>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Label and file below class/dmi/id; sorted by label.
constexpr std::array<std::array<std::string_view, 2>, 20> kFields = {{
    {"bios_date", "bios_date"},
    {"bios_release", "bios_release"},
    {"bios_vendor", "bios_vendor"},
    {"bios_version", "bios_version"},
    {"board_asset_tag", "board_asset_tag"},
    {"board_name", "board_name"},
    {"board_serial", "board_serial"},
    {"board_vendor", "board_vendor"},
    {"board_version", "board_version"},
    {"chassis_asset_tag", "chassis_asset_tag"},
    {"chassis_serial", "chassis_serial"},
    {"chassis_vendor", "chassis_vendor"},
    {"chassis_version", "chassis_version"},
    {"product_family", "product_family"},
    {"product_name", "product_name"},
    {"product_serial", "product_serial"},
    {"product_sku", "product_sku"},
    {"product_uuid", "product_uuid"},
    {"product_version", "product_version"},
    {"system_vendor", "sys_vendor"},
}};

/// Read once: the tables do not change until the next boot.
class Dmi : public Collector {
 public:
  explicit Dmi(const Context& context) {
    FileReader files;
    for (const auto& [label, file] : kFields) {
      // Serial numbers are readable by root only: the label is then left out.
      const auto text = files.Try(context.paths.Sys("class/dmi/id/" + std::string(file)));
      if (text) values_.emplace_back(label, *text);
    }
    for (const auto& [label, value] : values_) labels_.push_back({label, value});
  }

  Status Collect(MetricWriter& out) override {
    if (labels_.empty()) return NoData("no DMI tables");
    out.Family("node_dmi_info", kGauge, "Always 1; what the DMI tables say stands in the labels.");
    out.Sample(labels_, 1);
    return {};
  }

 private:
  std::vector<std::pair<std::string_view, std::string>> values_;
  std::vector<Label> labels_;
};

}  // namespace

MILLRACE_COLLECTOR(Dmi) = {"dmi", true, "Vendor, board and BIOS (DMI)", nullptr,
                           &MakeCollector<Dmi>};

}  // namespace millrace::node
