#pragma once
// query_response: the dialogue of the tcp and unix probers.
#include <memory>
#include <string>
#include <vector>

#include "exporters/uptime_probe/io/tls.h"
#include "exporters/uptime_probe/prober.h"

namespace millrace::uptime_probe {

struct DialogueOptions {
  const std::vector<QueryResponse>* steps;
  const TlsConfig* tls_config;
  std::string server_name;       ///< For starttls.
  const TlsInfo* tls = nullptr;  ///< Of the handshake that came before, if there was one.
};

/// Runs the steps over a connected stream. Lines end with LF or CRLF; longer than 64 KiB they are
/// an error.
[[nodiscard]] bool RunDialogue(ProbeContext& context, std::unique_ptr<Stream> stream,
                               const DialogueOptions& options);

}  // namespace millrace::uptime_probe
