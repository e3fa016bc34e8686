#pragma once
// Source `stdin`: lines of standard input. There is no position to go back to: what a crash catches
// unacknowledged is gone, as with any pipe.
#include <cstdint>
#include <memory>
#include <string>

#include "agent/core/component.h"
#include "agent/decode/framing/framing.h"
#include "agent/sources/file/config.h"
#include "common/base/fd.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct StdinConfig {
  std::string line_delimiter = "\n";
  config::Bytes max_line_bytes{102'400};
  LongLines long_lines = LongLines::kTruncate;
  std::string host_key = "host";
};
void Visit(config::Visitor& v, StdinConfig& c);
[[nodiscard]] Result<std::unique_ptr<Source>> MakeStdinSource(const StdinConfig& config,
                                                              const Context& context);

/// Reads a descriptor to its end; a last line without its delimiter counts.
class StdinSource final : public Source {
 public:
  /// `fd` is read from, not closed.
  StdinSource(const StdinConfig& config, const Context& context, int fd);
  Status Run(std::stop_token stop, Output& out) override;

 private:
  Status Send(Output& out, LineFramer& framer, std::unique_ptr<EventBatch> batch);

  const Context context_;
  const std::string_view host_key_;
  FramingOptions framing_;
  Block host_;
  EventId stream_;
  int fd_;
  Counter long_lines_, dropped_;
};

}  // namespace millrace::agent
