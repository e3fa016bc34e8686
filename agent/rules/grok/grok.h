#pragma once
// Grok expressions, matched by PCRE2 with JIT under limits.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/decode/decoder.h"
#include "agent/rules/grok/library.h"
#include "common/base/result.h"

namespace millrace::agent {

struct GrokOptions {
  std::vector<std::string> patterns;  ///< Tried in order; the first that is found counts.
  const PatternLibrary* library = &PatternLibrary::BuiltIn(GrokNames::kLegacy);
  /// Steps of backtracking before a line counts as one that hit the limit.
  std::uint32_t match_limit = 100'000;
};

/// Search, not anchored; "." matches a line feed; "^" and "$" match at lines, as in Logstash. An
/// empty capture is no field; a field captured several times is an array. A field "[a][b]" lies in
/// an object.
class GrokDecoder final : public Decoder {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const GrokDecoder>> Make(const GrokOptions& options);
  ~GrokDecoder() override;
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  struct Pattern;
  GrokDecoder();
  std::vector<std::unique_ptr<const Pattern>> patterns_;
  std::uint32_t match_limit_ = 0;
};

}  // namespace millrace::agent
