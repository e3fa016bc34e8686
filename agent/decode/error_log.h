#pragma once
// Error logs of nginx and Apache.
#include <memory>
#include <string_view>

#include "agent/decode/decoder.h"
#include "common/time/zone.h"

namespace millrace::agent {

/// `2021/04/01 13:02:31 [error] 31#31: *1 message, client: 1.2.3.4, server: ...`: severity, pid,
/// tid, cid, message, and what follows it by name (client, server, request, upstream, host,
/// referer, and of rate limits excess and zone).
class NginxErrorDecoder final : public Decoder {
 public:
  explicit NginxErrorDecoder(std::shared_ptr<const time::Zone> zone) : zone_(std::move(zone)) {}
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  std::shared_ptr<const time::Zone> zone_;
};

/// `[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 1:tid 2] [client 1.2.3.4:5] message`:
/// module, severity, pid, thread, client, port, message.
class ApacheErrorDecoder final : public Decoder {
 public:
  explicit ApacheErrorDecoder(std::shared_ptr<const time::Zone> zone);
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  std::shared_ptr<const time::Zone> zone_;
};

}  // namespace millrace::agent
