#pragma once
// Syslog messages: RFC 5424 and what RFC 3164 describes.
#include <memory>
#include <string_view>

#include "agent/decode/decoder.h"
#include "common/time/zone.h"

namespace millrace::agent {

/// Fields as Vector's parse_syslog names them: facility, severity, version, hostname, appname,
/// procid, msgid, message, and each SD-ID of structured data as an object. The "<PRI>" may be
/// missing, as it is in files of a syslog daemon. A time without a zone is read in `zone`, without
/// a year as the most recent one.
class SyslogDecoder final : public Decoder {
 public:
  explicit SyslogDecoder(std::shared_ptr<const time::Zone> zone) : zone_(std::move(zone)) {}
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  const char* Rfc5424(std::string_view s, Arena& arena, Decoded& out) const;
  const char* Rfc3164(std::string_view s, bool has_priority, Decoded& out) const;

  std::shared_ptr<const time::Zone> zone_;
};

/// "kern", "user", ... of a priority; empty when there is no such facility.
[[nodiscard]] std::string_view SyslogFacility(unsigned priority);
[[nodiscard]] std::string_view SyslogSeverity(unsigned priority);

}  // namespace millrace::agent
