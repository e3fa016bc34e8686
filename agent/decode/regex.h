#pragma once
// Named captures of regular expressions (RE2: linear time, whatever the pattern and the text).
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/decode/convert.h"
#include "agent/decode/decoder.h"
#include "common/base/result.h"

namespace millrace::agent {

/// The first pattern that is found in the text gives the fields; a group that took no part in the
/// match gives none.
class RegexDecoder final : public Decoder {
 public:
  /// `types`: name of a capture -> see Conversion. A value that has not that type is a failure.
  [[nodiscard]] static Result<std::shared_ptr<const RegexDecoder>> Make(
      const std::vector<std::string>& patterns, const std::map<std::string, std::string>& types,
      std::shared_ptr<const time::Zone> zone);
  ~RegexDecoder() override;
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  struct Pattern;
  RegexDecoder();
  std::vector<std::unique_ptr<const Pattern>> patterns_;
};

}  // namespace millrace::agent
