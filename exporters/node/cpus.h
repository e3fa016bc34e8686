#pragma once
// Processors as sysfs lists them.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "exporters/node/files.h"

namespace millrace::node {

/// "0-3,8" as numbers. At most 65536 of them.
[[nodiscard]] Result<std::vector<unsigned>> ParseCpuList(std::string_view text);

/// The cpuN of devices/system/cpu (`root`), in order of N.
class CpuDirs {
 public:
  struct Cpu {
    unsigned number;
    std::string name;  ///< "cpu12"
    [[nodiscard]] std::string_view digits() const { return std::string_view(name).substr(3); }
  };
  /// Empty when the directory is missing.
  const std::vector<Cpu>& Read(std::string_view root);

 private:
  DirList dir_;
  std::vector<Cpu> cpus_;
};

}  // namespace millrace::node
