#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::array<std::string_view, 14> kSensorTypes = {
    "vrm",  "beep_enable", "update_interval", "in",     "cpu",      "fan",       "pwm",
    "temp", "curr",        "power",           "energy", "humidity", "intrusion", "freq"};

// Drivers write short values; a longer one is nonsense.
constexpr std::size_t kMaxValue = 128;

/// <type><number>_<property>, such as temp1_input; parts may be missing.
struct FileName {
  std::string_view type, number, property;
};

std::optional<FileName> ParseFileName(std::string_view name) {
  const auto digit = std::min(name.find_first_of("0123456789"), name.size());
  FileName f;
  f.type = name.substr(0, digit);
  if (f.type.empty()) return std::nullopt;
  std::string_view rest = name.substr(digit);
  const auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  f.number = rest.substr(0, digits);
  rest.remove_prefix(digits);
  if (rest.empty()) return f;
  if (rest.size() < 2 || rest[0] != '_') return std::nullopt;
  f.property = rest.substr(1);
  return f;
}

// Lower case, everything but letters, digits, ':' and '_' becomes '_', none of it at the ends.
void CleanName(std::string_view name, std::string& out) {
  out.clear();
  for (const char c : name) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool fine = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                      lower == ':' || lower == '_';
    out += fine ? lower : '_';
  }
  const auto first = out.find_first_not_of('_');
  if (first == std::string::npos) {
    out.clear();
    return;
  }
  out.erase(out.find_last_not_of('_') + 1);
  out.erase(0, first);
}

std::string Cleaned(std::string_view name) {
  std::string out;
  CleanName(name, out);
  return out;
}

struct Reading {
  std::string sensor, type, property, value;
};

struct Chip {
  std::string dir, base_name, name_file, chip_name;
};

class Hwmon : public Collector {
 public:
  Hwmon(const Context& context, NameFilter chips, NameFilter sensors)
      : root_(context.paths.Sys("class/hwmon")),
        chips_(std::move(chips)),
        sensors_(std::move(sensors)) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(dirs_.Read(root_));
    found_.clear();
    for (const std::string_view name : dirs_) {
      Chip chip;
      chip.dir.assign(JoinPath(path_, {root_, name}));
      if (!IsDirectory(chip.dir)) continue;
      chip.name_file = std::string(files_.Try(JoinPath(path_, {chip.dir, "name"})).value_or(""));
      chip.base_name = BaseNameOf(chip);
      if (!chip.base_name.empty()) found_.push_back(std::move(chip));
    }
    Status last;
    for (Chip& chip : found_) {
      NameChip(chip);
      if (chips_.Ignored(chip.chip_name)) continue;
      if (auto s = One(out, chip); !s) last = std::move(s);
    }
    return last;
  }

 private:
  // Numbers of hwmonN change with the order in which modules load, the path of the device does
  // not: <bus>_<device> first, then the driver's name, then hwmonN.
  std::string BaseNameOf(const Chip& chip) {
    std::array<char, PATH_MAX> real;
    path_.assign(JoinPath(path2_, {chip.dir, "device"}));
    if (::realpath(path_.c_str(), real.data()) != nullptr) {
      const std::string_view device(real.data());
      const auto slash = device.rfind('/');
      const std::string name = Cleaned(BaseName(device));
      const std::string bus = Cleaned(BaseName(device.substr(0, slash)));
      if (!bus.empty() && !name.empty()) return bus + "_" + name;
      if (!name.empty()) return name;
    }
    if (std::string name = Cleaned(chip.name_file); !name.empty()) return name;
    if (::realpath(chip.dir.c_str(), real.data()) == nullptr) return {};
    return Cleaned(BaseName(real.data()));
  }

  // Several chips may belong to one device.
  void NameChip(Chip& chip) const {
    const auto same_base = std::count_if(
        found_.begin(), found_.end(), [&](const Chip& c) { return c.base_name == chip.base_name; });
    chip.chip_name = chip.base_name;
    if (same_base < 2) return;
    const auto same_name = std::count_if(found_.begin(), found_.end(), [&](const Chip& c) {
      return c.base_name == chip.base_name && c.name_file == chip.name_file;
    });
    std::string suffix = Cleaned(chip.name_file);
    if (suffix.empty() || same_name > 1) suffix = Cleaned(BaseName(chip.dir));
    chip.chip_name += "_" + suffix;
  }

  Status One(MetricWriter& out, const Chip& chip) {
    count_ = 0;
    MILLRACE_TRY(ReadDir(chip.dir));
    const std::string device = chip.dir + "/device";
    if (IsDirectory(device)) MILLRACE_TRY(ReadDir(device));
    CleanName(chip.name_file, text_);
    if (!text_.empty()) {
      out.Family("node_hwmon_chip_names", kGauge, "Always 1; the name a chip's driver gives it.");
      out.Sample({{"chip", chip.chip_name}, {"chip_name", text_}}, 1);
    }
    for (std::size_t i = 0; i < count_; ++i) Write(out, chip.chip_name, readings_[i]);
    return {};
  }

  Status ReadDir(const std::string& dir) {
    MILLRACE_TRY(names_.Read(dir));
    for (const std::string_view name : names_) {
      const auto file = ParseFileName(name);
      if (!file ||
          std::find(kSensorTypes.begin(), kSensorTypes.end(), file->type) == kSensorTypes.end())
        continue;
      const auto value = files_.Try(JoinPath(path_, {dir, name}));
      if (!value) continue;
      const auto number = file->number.empty() ? 0U : ParseNumber<unsigned>(file->number);
      if (!number) continue;
      sensor_.assign(file->type).append(NumberText(*number).view());
      Reading& r = At(sensor_, file->property);
      r.type.assign(file->type);
      r.value.assign(value->substr(0, kMaxValue));
    }
    return {};
  }

  Reading& At(std::string_view sensor, std::string_view property) {
    for (std::size_t i = 0; i < count_; ++i)
      if (readings_[i].sensor == sensor && readings_[i].property == property) return readings_[i];
    if (count_ == readings_.size()) readings_.emplace_back();
    Reading& r = readings_[count_++];
    r.sensor.assign(sensor);
    r.property.assign(property);
    return r;
  }

  [[nodiscard]] const Reading* Find(std::string_view sensor, std::string_view property) const {
    for (std::size_t i = 0; i < count_; ++i)
      if (readings_[i].sensor == sensor && readings_[i].property == property) return &readings_[i];
    return nullptr;
  }

  // Units follow Documentation/hwmon/sysfs-interface.rst.
  void Write(MetricWriter& out, std::string_view chip, const Reading& r) {
    key_.assign(chip).append(";").append(r.sensor);
    if (sensors_.Ignored(key_)) return;
    const auto labels = {Label{"chip", chip}, Label{"sensor", r.sensor}};
    const std::string_view property = r.property;
    if (property == "label") {
      out.Family("node_hwmon_sensor_label", kGauge, "Always 1; the label of a sensor.");
      out.Sample({{"chip", chip}, {"label", r.value}, {"sensor", r.sensor}}, 1);
      return;
    }
    const auto value = ParseNumber<double>(r.value);
    const auto put = [&](std::string_view suffix, MetricType type, std::string_view help,
                         double v) {
      name_.append(suffix);
      out.Family(name_, type, help);
      out.Sample(labels, v);
    };
    name_ = "node_hwmon_";
    if (r.type == "beep_enable") {
      if (property.empty())
        put("beep_enabled", kGauge, "1 when the chip may beep.", r.value == "1" ? 1 : 0);
      return;
    }
    if (!value) return;
    if (r.type == "vrm") {
      if (property.empty())
        put("voltage_regulator_version", kGauge, "Version of the voltage regulator module.",
            *value);
      return;
    }
    if (r.type == "update_interval") {
      if (property.empty())
        put("update_interval_seconds", kGauge, "How often the chip updates its values.",
            *value * 0.001);
      return;
    }
    name_ += r.type;
    if (property == "input") {
      // The plain name is taken when there is a file without a property as well.
      if (Find(r.sensor, "") != nullptr) name_ += "_input";
    } else if (!property.empty()) {
      CleanName(property, text_);
      name_ += '_';
      name_ += text_;
    }
    if (property == "fault" || property == "alarm")
      return put("", kGauge, "1 when the sensor reports a fault or an alarm.", *value);
    if (property == "beep") return put("_enabled", kGauge, "1 when the sensor may beep.", *value);
    WriteQuantity(out, chip, r, *value, put);
  }

  template <class Put>
  void WriteQuantity(MetricWriter& out, std::string_view chip, const Reading& r, double value,
                     Put&& put) {
    const std::string_view property = r.property;
    if (r.type == "in" || r.type == "cpu")
      return put("_volts", kGauge, "Voltage of a sensor.", value * 0.001);
    if (r.type == "temp" && property != "type")
      return put("_celsius", kGauge, "Temperature of a sensor.", value * 0.001);
    if (r.type == "curr") return put("_amps", kGauge, "Current of a sensor.", value * 0.001);
    if (r.type == "energy")
      return put("_joule_total", kCounter, "Energy a sensor has counted.", value / 1000000.0);
    if (r.type == "power") {
      if (property == "accuracy")
        return put("", kGauge, "Accuracy of a power meter, as a ratio.", value / 1000000.0);
      if (property == "average_interval" || property == "average_interval_min" ||
          property == "average_interval_max")
        return put("_seconds", kGauge, "Interval over which a power meter averages.",
                   value * 0.001);
      return put("_watt", kGauge, "Power of a sensor.", value / 1000000.0);
    }
    if (r.type == "humidity")
      return put("", kGauge, "Humidity of a sensor, as a ratio.", value / 1000000.0);
    if (r.type == "fan" &&
        (property == "input" || property == "min" || property == "max" || property == "target"))
      return put("_rpm", kGauge, "Rotations a minute of a fan.", value);
    if (r.type == "freq" && property == "input") {
      const Reading* label = Find(r.sensor, "label");
      if (label == nullptr) return;
      CleanName(label->value, text_);
      name_ += "_freq_mhz";
      out.Family(name_, kGauge, "Frequency of a sensor, in megahertz.");
      out.Sample({{"chip", chip}, {"sensor", text_}}, value / 1000000.0);
      return;
    }
    put("", kGauge, "Value of a sensor, as the driver gives it.", value);
  }

  const std::string root_;
  NameFilter chips_, sensors_;
  FileReader files_;
  DirList dirs_, names_;
  std::vector<Chip> found_;
  std::vector<Reading> readings_;
  std::size_t count_ = 0;
  std::string path_, path2_, name_, text_, key_, sensor_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.hwmon.chip-include", "",
             "Regexp of chips to include (not together with chip-exclude).");
  flags.Text("collector.hwmon.chip-exclude", "",
             "Regexp of chips to leave out (not together with chip-include).");
  flags.Text("collector.hwmon.sensor-include", "",
             "Regexp of \"chip;sensor\" to include (not together with sensor-exclude).");
  flags.Text("collector.hwmon.sensor-exclude", "",
             "Regexp of \"chip;sensor\" to leave out (not together with sensor-include).");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(NameFilter chips,
                  NameFilter::Make(context.flags.GetText("collector.hwmon.chip-exclude"),
                                   context.flags.GetText("collector.hwmon.chip-include")));
  MILLRACE_ASSIGN(NameFilter sensors,
                  NameFilter::Make(context.flags.GetText("collector.hwmon.sensor-exclude"),
                                   context.flags.GetText("collector.hwmon.sensor-include")));
  return std::make_unique<Hwmon>(context, std::move(chips), std::move(sensors));
}

}  // namespace

MILLRACE_COLLECTOR(Hwmon) = {"hwmon", true, "Sensors of the hardware", &Declare, &Make};

}  // namespace millrace::node
