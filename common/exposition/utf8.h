#pragma once
// Label values in Prometheus' formats are UTF-8; the kernel's names are bytes.
#include <cstddef>
#include <string_view>

namespace millrace::exposition {

/// Bytes of the valid UTF-8 sequence at the start of `s`, or 0 when there is none.
[[nodiscard]] std::size_t Utf8SequenceLength(std::string_view s);
/// U+FFFD, what stands for a byte that is not UTF-8.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace millrace::exposition
