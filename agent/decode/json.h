#pragma once
// JSON objects -> fields, validated once, copied never.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/decode/decoder.h"

namespace millrace::agent {

struct JsonLimits {
  std::uint32_t max_depth = 128;       ///< Of nesting; at most 1000.
  std::uint64_t max_bytes = 10 << 20;  ///< Of the text.
  std::uint32_t max_fields = 100'000;  ///< Of the object itself.
  bool lossy = true;  ///< Bytes that are not UTF-8 become U+FFFD; else the text is refused.
};

/// The members of the object become fields: strings still escaped (kJsonString), numbers, objects
/// and arrays as their source text (kRawJson). Decoded::object is set when the text can stand in
/// the output as it is: no key twice, no line break. Of a repeated key the last value counts.
class JsonDecoder final : public Decoder {
 public:
  /// `whole`: any JSON value is taken as it is, into Decoded::value.
  explicit JsonDecoder(JsonLimits limits, bool whole = false) : limits_(limits), whole_(whole) {}
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  const char* DecodeWhole(std::string_view text, Arena& arena, Decoded& out) const;

  JsonLimits limits_;
  bool whole_;
};

}  // namespace millrace::agent
