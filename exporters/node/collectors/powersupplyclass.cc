#include <array>
#include <string>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// File below class/power_supply/<name>, family and divisor: sysfs has millionths of volts, amperes
// and watt-hours, and tenths of degrees (Documentation/ABI/testing/sysfs-class-power).
struct Value {
  std::string_view file, family;
  double divisor;
};
constexpr double kMillionth = 1e6;
constexpr double kTenth = 10;
#define MILLRACE_SUPPLY(name) "node_power_supply_" name
constexpr auto kValues = std::to_array<Value>({
    {"authentic", MILLRACE_SUPPLY("authentic"), 1},
    {"calibrate", MILLRACE_SUPPLY("calibrate"), 1},
    {"capacity", MILLRACE_SUPPLY("capacity"), 1},
    {"capacity_alert_max", MILLRACE_SUPPLY("capacity_alert_max"), 1},
    {"capacity_alert_min", MILLRACE_SUPPLY("capacity_alert_min"), 1},
    {"cycle_count", MILLRACE_SUPPLY("cyclecount"), 1},
    {"online", MILLRACE_SUPPLY("online"), 1},
    {"present", MILLRACE_SUPPLY("present"), 1},
    {"time_to_empty_now", MILLRACE_SUPPLY("time_to_empty_seconds"), 1},
    {"time_to_full_now", MILLRACE_SUPPLY("time_to_full_seconds"), 1},
    {"current_boot", MILLRACE_SUPPLY("current_boot"), kMillionth},
    {"current_max", MILLRACE_SUPPLY("current_max"), kMillionth},
    {"current_now", MILLRACE_SUPPLY("current_ampere"), kMillionth},
    {"energy_empty", MILLRACE_SUPPLY("energy_empty"), kMillionth},
    {"energy_empty_design", MILLRACE_SUPPLY("energy_empty_design"), kMillionth},
    {"energy_full", MILLRACE_SUPPLY("energy_full"), kMillionth},
    {"energy_full_design", MILLRACE_SUPPLY("energy_full_design"), kMillionth},
    {"energy_now", MILLRACE_SUPPLY("energy_watthour"), kMillionth},
    {"voltage_boot", MILLRACE_SUPPLY("voltage_boot"), kMillionth},
    {"voltage_max", MILLRACE_SUPPLY("voltage_max"), kMillionth},
    {"voltage_max_design", MILLRACE_SUPPLY("voltage_max_design"), kMillionth},
    {"voltage_min", MILLRACE_SUPPLY("voltage_min"), kMillionth},
    {"voltage_min_design", MILLRACE_SUPPLY("voltage_min_design"), kMillionth},
    {"voltage_now", MILLRACE_SUPPLY("voltage_volt"), kMillionth},
    {"voltage_ocv", MILLRACE_SUPPLY("voltage_ocv"), kMillionth},
    {"charge_control_limit", MILLRACE_SUPPLY("charge_control_limit"), kMillionth},
    {"charge_control_limit_max", MILLRACE_SUPPLY("charge_control_limit_max"), kMillionth},
    {"charge_counter", MILLRACE_SUPPLY("charge_counter"), kMillionth},
    {"charge_empty", MILLRACE_SUPPLY("charge_empty"), kMillionth},
    {"charge_empty_design", MILLRACE_SUPPLY("charge_empty_design"), kMillionth},
    {"charge_full", MILLRACE_SUPPLY("charge_full"), kMillionth},
    {"charge_full_design", MILLRACE_SUPPLY("charge_full_design"), kMillionth},
    {"charge_now", MILLRACE_SUPPLY("charge_ampere"), kMillionth},
    {"charge_term_current", MILLRACE_SUPPLY("charge_term_current"), kMillionth},
    {"constant_charge_current", MILLRACE_SUPPLY("constant_charge_current"), kMillionth},
    {"constant_charge_current_max", MILLRACE_SUPPLY("constant_charge_current_max"), kMillionth},
    {"constant_charge_voltage", MILLRACE_SUPPLY("constant_charge_voltage"), kMillionth},
    {"constant_charge_voltage_max", MILLRACE_SUPPLY("constant_charge_voltage_max"), kMillionth},
    {"precharge_current", MILLRACE_SUPPLY("precharge_current"), kMillionth},
    {"input_current_limit", MILLRACE_SUPPLY("input_current_limit"), kMillionth},
    {"power_now", MILLRACE_SUPPLY("power_watt"), kMillionth},
    {"temp", MILLRACE_SUPPLY("temp_celsius"), kTenth},
    {"temp_alert_max", MILLRACE_SUPPLY("temp_alert_max_celsius"), kTenth},
    {"temp_alert_min", MILLRACE_SUPPLY("temp_alert_min_celsius"), kTenth},
    {"temp_ambient", MILLRACE_SUPPLY("temp_ambient_celsius"), kTenth},
    {"temp_ambient_max", MILLRACE_SUPPLY("temp_ambient_max_celsius"), kTenth},
    {"temp_ambient_min", MILLRACE_SUPPLY("temp_ambient_min_celsius"), kTenth},
    {"temp_max", MILLRACE_SUPPLY("temp_max_celsius"), kTenth},
    {"temp_min", MILLRACE_SUPPLY("temp_min_celsius"), kTenth},
});
#undef MILLRACE_SUPPLY

// Files that become labels of node_power_supply_info when they are not empty.
constexpr std::array<std::string_view, 11> kLabels = {
    "capacity_level", "charge_type", "health",     "manufacturer", "model_name", "scope",
    "serial_number",  "status",      "technology", "type",         "usb_type"};

class PowerSupplyClass : public Collector {
 public:
  PowerSupplyClass(const Context& context, NameFilter ignored)
      : root_(context.paths.Sys("class/power_supply")), ignored_(std::move(ignored)) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(supplies_.Read(root_));
    for (const std::string_view supply : supplies_) {
      if (ignored_.Ignored(supply)) continue;
      dir_.assign(JoinPath(path_, {root_, supply}));
      MILLRACE_TRY(files_list_.Read(dir_));
      MILLRACE_TRY(One(out, supply));
    }
    return {};
  }

 private:
  Status One(MetricWriter& out, std::string_view supply) {
    labels_.clear();
    for (auto& text : texts_) text.clear();
    for (const std::string_view file : files_list_) {
      for (const Value& v : kValues)
        if (v.file == file) MILLRACE_TRY(Number(out, supply, v));
      for (std::size_t i = 0; i < kLabels.size(); ++i)
        if (kLabels[i] == file)
          texts_[i].assign(files_.Try(JoinPath(path_, {dir_, file})).value_or(""));
    }
    for (std::size_t i = 0; i < kLabels.size(); ++i) {
      if (kLabels[i] == "scope") labels_.push_back({"power_supply", supply});  // order of names
      if (!texts_[i].empty()) labels_.push_back({kLabels[i], texts_[i]});
    }
    out.Family("node_power_supply_info", kGauge, "Always 1; what a power supply is.");
    out.Sample(labels_, 1);
    return {};
  }

  Status Number(MetricWriter& out, std::string_view supply, const Value& v) {
    const auto text = files_.Try(JoinPath(path_, {dir_, v.file}));
    if (!text) {
      // A supply that cannot say: battery absent, or the driver does not support it.
      const int error = files_.last_errno();
      if (error == ENOENT || error == EOPNOTSUPP || error == ENODEV || error == EINVAL) return {};
      return FailErrno("read " + path_, error);
    }
    const auto value = ParseNumber<std::int64_t>(*text);
    if (!value) return BadContent(path_, "number", *text);
    out.Family(v.family, kGauge, "A value of a power supply.");
    out.Sample({{"power_supply", supply}}, static_cast<double>(*value) / v.divisor);
    return {};
  }

  const std::string root_;
  NameFilter ignored_;
  FileReader files_;
  DirList supplies_, files_list_;
  std::string path_, dir_;
  std::array<std::string, kLabels.size()> texts_;
  std::vector<Label> labels_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.powersupply.ignored-supplies", "^$",
             "Regexp of power supplies to leave out.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(
      NameFilter ignored,
      NameFilter::Make(context.flags.GetText("collector.powersupply.ignored-supplies"), ""));
  return std::make_unique<PowerSupplyClass>(context, std::move(ignored));
}

}  // namespace

MILLRACE_COLLECTOR(PowerSupplyClass) = {"powersupplyclass", true, "Batteries and power supplies",
                                        &Declare, &Make};

}  // namespace millrace::node
