// Configuration files: whatever loads can be shown, and what is shown loads and stays the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "exporters/uptime_probe/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config =
      millrace::uptime_probe::ParseConfig(std::string(data, data + size), "fuzz.yml");
  if (config) (void)millrace::uptime_probe::DumpConfig(*config);
  return 0;
}
