#pragma once
// Names of PCI devices from the pci.ids file (https://pci-ids.ucw.cz), for the identifiers of this
// host only: the whole file has 40,000 names.
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::node {

struct PciKey {
  unsigned vendor = 0, device = 0, subsystem_vendor = 0, subsystem_device = 0, class_code = 0;
};
/// Where there is no name: the number in hexadecimal, for a class "Unknown class (NUMBER)".
struct PciNames {
  std::string vendor, device, subsystem_vendor, subsystem_device, class_name;
};
[[nodiscard]] PciNames FindPciNames(std::string_view pci_ids, const PciKey& key);

/// `value` as lower-case hexadecimal with at least `digits` digits.
[[nodiscard]] std::string Hex(unsigned value, int digits);

}  // namespace millrace::node
