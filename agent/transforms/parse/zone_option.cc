#include "agent/transforms/parse/zone_option.h"

#include "common/time/zone.h"

namespace millrace::agent {

void VisitZone(config::Visitor& v, std::string& timezone) {
  v.Field("timezone", timezone,
          "Of times that do not name one: UTC, local, an offset such as +02:00, or a name of the "
          "time zone database such as Europe/Berlin.")
      .Check([](const std::string& name) {
        const auto zone = time::Zone::Load(name);
        return zone ? std::string() : zone.error().message;
      });
}

}  // namespace millrace::agent
