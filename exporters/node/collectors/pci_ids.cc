#include "exporters/node/collectors/pci_ids.h"

#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/node/scan.h"

namespace millrace::node {

std::string Hex(unsigned value, int digits) { return fmt::format("{:0{}x}", value, digits); }

PciNames FindPciNames(std::string_view rest, const PciKey& key) {
  const std::string class_text = Hex(key.class_code, 6);
  PciNames names{Hex(key.vendor, 4), Hex(key.device, 4), Hex(key.subsystem_vendor, 4),
                 Hex(key.subsystem_device, 4), "Unknown class (" + class_text + ")"};
  const std::string vendor = names.vendor, device = names.device;
  const std::string subsystem_vendor = names.subsystem_vendor;
  const std::string subsystem = subsystem_vendor + " " + names.subsystem_device;
  bool in_classes = false, in_vendor = false, in_device = false;
  bool in_class = false, in_subclass = false;
  std::string_view line;
  while (NextLine(rest, line)) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t depth = std::min(line.find_first_not_of('\t'), line.size());
    std::string_view body = line.substr(depth);
    if (depth == 0) in_classes = body.starts_with("C ");
    if (depth == 0 && in_classes) body.remove_prefix(2);
    const auto gap = body.find("  ");
    if (gap == std::string_view::npos) continue;
    const std::string_view id = body.substr(0, gap), name = Trim(body.substr(gap));
    if (in_classes) {
      // A more specific name replaces a more general one.
      if (depth == 0) in_class = id == std::string_view(class_text).substr(0, 2);
      if (depth == 1) in_subclass = in_class && id == std::string_view(class_text).substr(2, 2);
      const bool interface =
          depth == 2 && in_subclass && id == std::string_view(class_text).substr(4, 2);
      if ((depth == 0 && in_class) || (depth == 1 && in_subclass) || interface)
        names.class_name = name;
    } else if (depth == 0) {
      in_vendor = id == vendor;
      in_device = false;
      if (in_vendor) names.vendor = name;
      if (id == subsystem_vendor) names.subsystem_vendor = name;
    } else if (depth == 1) {
      in_device = in_vendor && id == device;
      if (in_device) names.device = name;
    } else if (depth == 2 && in_device && id == subsystem) {
      names.subsystem_device = name;
    }
  }
  return names;
}

}  // namespace millrace::node
