#include <array>
#include <map>

#include "exporters/node/attributes.h"
#include "exporters/node/collectors/pci_ids.h"
#include "exporters/node/read_once.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr const char* kIdsPaths[] = {"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"};

/// "0000:45:00.0" in its parts.
struct Location {
  std::string segment = "*", bus = "*", device = "*", function = "*";
};
std::optional<Location> ParseLocation(std::string_view text) {
  if (text.size() < 12 || text[text.size() - 2] != '.') return std::nullopt;
  Location l;
  l.segment = NextPiece(text, ':');
  l.bus = NextPiece(text, ':');
  l.device = NextPiece(text, '.');
  l.function = text;
  for (const std::string* part : {&l.segment, &l.bus, &l.device, &l.function})
    if (!ParseNumber<unsigned>(*part, 16)) return std::nullopt;
  return l;
}

/// "8.0 GT/s PCIe" -> 8e9; nothing when the speed is unknown.
std::optional<double> ParseSpeed(std::string_view text) {
  if (!text.ends_with(" GT/s PCIe")) return std::nullopt;
  const auto value = ParseNumber<double>(NextWord(text));
  if (!value) return std::nullopt;
  return *value * 1e9;
}

class Pcidevice : public Collector {
 public:
  explicit Pcidevice(const Context& context)
      : root_(context.paths.Sys("bus/pci/devices")),
        names_wanted_(context.flags.GetSwitch("collector.pcidevice.names")),
        ids_file_(context.flags.GetText("collector.pcidevice.idsfile")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(names_.Read(root_));
    for (const std::string_view name : names_) {
      directory_.assign(root_).append("/").append(name);
      const auto link = ReadLink(directory_);
      const auto location = ParseLocation(name);
      if (!link || !location) return BadContent(directory_, "device", name);
      const std::string_view target = *link;
      // A device below a bridge has the bridge as its parent, others the root "pci0000:00".
      const auto parent = ParseLocation(BaseName(target.substr(0, target.rfind('/'))));
      MILLRACE_TRY(CollectOne(*location, parent.value_or(Location{}), out));
    }
    return {};
  }

 private:
  Result<unsigned> Identifier(std::string_view file) {
    MILLRACE_ASSIGN(const std::string_view text, files_.Read(JoinPath(path_, {directory_, file})));
    std::string_view digits = Trim(text);
    if (digits.starts_with("0x")) digits.remove_prefix(2);
    const auto value = ParseNumber<unsigned>(digits, 16);
    if (!value) return BadContent(path_, "number", text);
    return *value;
  }

  std::optional<std::string_view> Text(std::string_view file) {
    return files_.Try(JoinPath(path_, {directory_, file}));
  }

  Status CollectOne(const Location& l, const Location& parent, MetricWriter& out) {
    PciKey key;
    MILLRACE_ASSIGN(key.class_code, Identifier("class"));
    MILLRACE_ASSIGN(key.vendor, Identifier("vendor"));
    MILLRACE_ASSIGN(key.device, Identifier("device"));
    MILLRACE_ASSIGN(key.subsystem_vendor, Identifier("subsystem_vendor"));
    MILLRACE_ASSIGN(key.subsystem_device, Identifier("subsystem_device"));
    MILLRACE_ASSIGN(const unsigned revision, Identifier("revision"));
    EmitInfo(l, parent, key, revision, out);
    const std::array<Label, 4> labels = {
        {{"bus", l.bus}, {"device", l.device}, {"function", l.function}, {"segment", l.segment}}};
    const auto emit = [&](const Metric& metric, double value) {
      out.Family(metric);
      out.Sample(labels, value);
    };
    const auto speed = [&](std::string_view file) {
      return ParseSpeed(Text(file).value_or("")).value_or(-1);
    };
    const auto number = [&](std::string_view file, double otherwise) {
      return ParseNumber<double>(Text(file).value_or("")).value_or(otherwise);
    };
    emit({"node_pcidevice_max_link_transfers_per_second", kGauge,
          "Fastest transfers a second of the link, -1 if unknown."},
         speed("max_link_speed"));
    emit({"node_pcidevice_max_link_width", kGauge, "Most lanes of the link, -1 if unknown."},
         number("max_link_width", -1));
    emit({"node_pcidevice_current_link_transfers_per_second", kGauge,
          "Transfers a second of the link now, -1 if unknown."},
         speed("current_link_speed"));
    emit({"node_pcidevice_current_link_width", kGauge, "Lanes in use, -1 if unknown."},
         number("current_link_width", -1));
    emit({"node_pcidevice_d3cold_allowed", kGauge, "1 if the device may be powered off."},
         number("d3cold_allowed", 0) != 0 ? 1 : 0);
    emit({"node_pcidevice_sriov_drivers_autoprobe", kGauge,
          "1 if drivers take virtual functions by themselves."},
         number("sriov_drivers_autoprobe", 0) != 0 ? 1 : 0);
    emit({"node_pcidevice_sriov_numvfs", kGauge, "Virtual functions in use."},
         number("sriov_numvfs", 0));
    emit({"node_pcidevice_sriov_totalvfs", kGauge, "Virtual functions possible."},
         number("sriov_totalvfs", 0));
    emit({"node_pcidevice_sriov_vf_total_msix", kGauge, "MSI-X vectors for virtual functions."},
         number("sriov_vf_total_msix", 0));
    if (const auto state = Text("power_state"); state && !state->empty()) {
      const std::string now(*state);
      out.Family("node_pcidevice_power_state", kGauge, "1 for the power state the device is in.");
      for (const std::string_view s : {"D0", "D1", "D2", "D3hot", "D3cold", "unknown", "error"})
        out.Sample({labels[0], labels[1], labels[2], labels[3], {"state", s}}, s == now ? 1 : 0);
    }
    if (const double node = number("numa_node", -1); node != -1)
      emit({"node_pcidevice_numa_node", kGauge, "NUMA node of the device."}, node);
    return {};
  }

  void EmitInfo(const Location& l, const Location& parent, const PciKey& key, unsigned revision,
                MetricWriter& out) {
    const auto hex = [](unsigned value, int digits) { return "0x" + Hex(value, digits); };
    const std::string class_id = hex(key.class_code, 6), vendor = hex(key.vendor, 4),
                      device = hex(key.device, 4), subsystem_vendor = hex(key.subsystem_vendor, 4),
                      subsystem_device = hex(key.subsystem_device, 4),
                      revision_id = hex(revision, 2);
    const Label labels[] = {{"segment", l.segment},
                            {"bus", l.bus},
                            {"device", l.device},
                            {"function", l.function},
                            {"parent_segment", parent.segment},
                            {"parent_bus", parent.bus},
                            {"parent_device", parent.device},
                            {"parent_function", parent.function},
                            {"class_id", class_id},
                            {"vendor_id", vendor},
                            {"device_id", device},
                            {"subsystem_vendor_id", subsystem_vendor},
                            {"subsystem_device_id", subsystem_device},
                            {"revision", revision_id}};
    out.Family("node_pcidevice_info", kGauge, "Always 1; what a PCI device is.");
    if (!names_wanted_) return out.Sample(labels, 1);
    const PciNames& names = Names(key);
    std::array<Label, std::size(labels) + 5> all;
    auto end = std::copy(std::begin(labels), std::end(labels), all.begin());
    for (const Label& label :
         {Label{"vendor_name", names.vendor}, Label{"device_name", names.device},
          Label{"subsystem_vendor_name", names.subsystem_vendor},
          Label{"subsystem_device_name", names.subsystem_device},
          Label{"class_name", names.class_name}})
      *end++ = label;
    out.Sample(all, 1);
  }

  const PciNames& Names(const PciKey& key) {
    const std::array<unsigned, 5> index = {key.vendor, key.device, key.subsystem_vendor,
                                           key.subsystem_device, key.class_code};
    if (const auto known = known_.find(index); known != known_.end()) return known->second;
    std::string text;
    constexpr std::size_t kLimit = std::size_t{16} << 20;
    if (!ids_file_.empty()) {
      if (ReadOnce(ids_file_, text, kLimit) != 0) text.clear();
    } else {
      for (const char* path : kIdsPaths)
        if (ReadOnce(path, text, kLimit) == 0) break;
    }
    return known_.emplace(index, FindPciNames(text, key)).first->second;
  }

  const std::string root_;
  const bool names_wanted_;
  const std::string ids_file_;
  FileReader files_;
  DirList names_;
  std::string path_, directory_;
  std::map<std::array<unsigned, 5>, PciNames> known_;  // as many as the host has devices
};

void Declare(FlagSet& flags) {
  flags.Text("collector.pcidevice.idsfile", "", "Path of pci.ids; empty = where systems have it.");
  flags.Switch("collector.pcidevice.names", false,
               "Add names of vendors, devices and classes to node_pcidevice_info.");
}

}  // namespace

MILLRACE_COLLECTOR(Pcidevice) = {"pcidevice", false, "PCI devices and their links", &Declare,
                                 &MakeCollector<Pcidevice>};

}  // namespace millrace::node
