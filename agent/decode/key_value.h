#pragma once
// key=value pairs: logfmt and its relatives.
#include <string>
#include <string_view>

#include "agent/decode/decoder.h"

namespace millrace::agent {

struct KeyValueOptions {
  std::string field_delimiter = " ";
  std::string key_value_delimiter = "=";
  bool standalone_keys = true;  ///< A word without a value is a field that is true.
  bool need_pair = false;       ///< A text without any pair is a failure.
  bool lenient_blanks = true;   ///< Blanks around delimiters do not count.
  bool infer_types = false;     ///< Numbers and booleans become such, unless quoted.
};

/// Keys and values may stand in double or single quotes, where \" \\ \n \r \t are escapes. A key
/// that is repeated becomes an array of its values.
class KeyValueDecoder final : public Decoder {
 public:
  explicit KeyValueDecoder(KeyValueOptions options) : options_(std::move(options)) {}
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  KeyValueOptions options_;
};

}  // namespace millrace::agent
