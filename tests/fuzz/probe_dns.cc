// Answers of name servers: any bytes, and what was read must print.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "exporters/uptime_probe/dns/message.h"
#include "exporters/uptime_probe/io/resolver.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto m = millrace::uptime_probe::dns::ParseMessage(text))
    for (const auto* section : {&m->answer, &m->authority, &m->additional})
      for (const auto& record : *section) (void)record.Text();
  (void)millrace::uptime_probe::ParseResolvConf(text);
  (void)millrace::uptime_probe::FindInHosts(text, "localhost");
  return 0;
}
