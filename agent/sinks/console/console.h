#pragma once
// Events to standard output or standard error, one a line.
#include <memory>

#include "agent/core/component.h"
#include "agent/encode/encoder.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct ConsoleConfig {
  enum class Target : std::uint8_t { kStdout, kStderr };
  Target target = Target::kStdout;
  EncodingConfig encoding;
};
void Visit(config::Visitor& v, ConsoleConfig& c);
[[nodiscard]] Result<std::unique_ptr<Sink>> MakeConsole(const ConsoleConfig& config,
                                                        const Context& context);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::ConsoleConfig::Target> {
  using enum millrace::agent::ConsoleConfig::Target;
  static constexpr std::pair<millrace::agent::ConsoleConfig::Target, std::string_view> kList[] = {
      {kStdout, "stdout"}, {kStderr, "stderr"}};
};
