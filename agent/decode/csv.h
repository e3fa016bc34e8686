#pragma once
// Lines of separated values (RFC 4180).
#include <string>
#include <string_view>
#include <vector>

#include "agent/decode/decoder.h"

namespace millrace::agent {

struct CsvOptions {
  char delimiter = ',';
  std::vector<std::string_view> columns;  ///< Interned names; empty = the result is an array.
  bool infer_types = false;
};

/// One record; what follows a line break outside of quotes is not read. Values beyond the columns
/// are named column<N>, counted from 1.
class CsvDecoder final : public Decoder {
 public:
  explicit CsvDecoder(CsvOptions options) : options_(std::move(options)) {}
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  CsvOptions options_;
};

}  // namespace millrace::agent
