#pragma once
// What all parsing transforms share: which field is read, where the result goes, what happens to an
// event that does not follow the format.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/component.h"
#include "agent/decode/decoder.h"
#include "common/config/visitor.h"

namespace millrace::agent {

enum class OnFailure : std::uint8_t { kKeep, kDrop, kRoute };

struct ParserOptions {
  std::string field = "message";
  std::string target_field;
  bool drop_field = true;
  OnFailure on_failure = OnFailure::kKeep;
  std::string error_field = "_parse_error";

  /// "failed" when failures are routed.
  [[nodiscard]] std::vector<std::string> OutputNames() const;
};
/// Lists the keys above; called by each parser's own Visit().
void VisitParser(config::Visitor& v, ParserOptions& options);

/// A transform that runs `decoder` on every event.
[[nodiscard]] Result<std::unique_ptr<Transform>> MakeParser(std::shared_ptr<const Decoder> decoder,
                                                            const ParserOptions& options,
                                                            const Context& context);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::OnFailure> {
  using enum millrace::agent::OnFailure;
  static constexpr std::pair<millrace::agent::OnFailure, std::string_view> kList[] = {
      {kKeep, "keep"}, {kDrop, "drop"}, {kRoute, "route"}};
};
