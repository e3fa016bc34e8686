#pragma once
// Request ids and the W3C trace context (https://www.w3.org/TR/trace-context/, level 1).
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::app_metrics {

/// Bytes of a request id that is taken over from a client or a proxy.
inline constexpr std::size_t kMaxRequestId = 128;

/// 64 random bits of a per-thread generator that the kernel seeded. Not for secrets.
[[nodiscard]] std::uint64_t Random64();
/// Writes 16 lower-case hex digits.
void WriteHex16(char* out, std::uint64_t value);

/// True for 1 to kMaxRequestId letters, digits and "._~+/=:@-": what is safe in a header, in a log
/// line, in a terminal and in a metric's exemplar.
[[nodiscard]] bool IsAcceptableRequestId(std::string_view id);

struct TraceParent {
  std::string_view trace_id;   ///< 32 hex digits.
  std::string_view parent_id;  ///< 16 hex digits.
  bool sampled = false;
};
/// nullopt for anything that level 1 tells to ignore: wrong lengths, upper case, zero ids, version
/// ff, trailing bytes in version 00.
[[nodiscard]] std::optional<TraceParent> ParseTraceParent(std::string_view header);

}  // namespace millrace::app_metrics
