#pragma once
// What zcat and zstdcat show of a file, finished or growing.
#include <string>
#include <string_view>

#include "agent/compress/compressor.h"

namespace millrace::agent::testing {

[[nodiscard]] std::string Gunzip(std::string_view in);
[[nodiscard]] std::string Unzstd(std::string_view in);
[[nodiscard]] std::string Decompress(Compression kind, std::string_view in);

}  // namespace millrace::agent::testing
