#pragma once
// A TCP connection with a deadline, as little as a health check needs.
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::app_metrics {

using Deadline = std::chrono::steady_clock::time_point;

/// Tries every address of `host` in turn. Resolving a name is bounded by the resolver's own limits,
/// not by `deadline`.
[[nodiscard]] Result<Fd> Connect(const std::string& host, std::uint16_t port, Deadline deadline);
[[nodiscard]] Status SendAll(const Fd& fd, std::string_view bytes, Deadline deadline);
/// Up to and with "\r\n"; at most 4096 bytes.
[[nodiscard]] Result<std::string> ReceiveLine(const Fd& fd, Deadline deadline);

}  // namespace millrace::app_metrics
