#pragma once
// Field names. A name that configuration gives is interned once and lives as long as the process,
// so that batches may point at it across a reload and comparison is mostly one pointer. Names that
// come from data are views into their batch and are never interned: hostile input cannot grow the
// table.
#include <string_view>

namespace millrace::agent {

/// A view that lives until the process ends. Thread safe; for configuration time only.
[[nodiscard]] std::string_view InternName(std::string_view name);

/// Names the agent itself uses; the same as Vector's.
namespace names {
inline constexpr std::string_view kMessage = "message";
inline constexpr std::string_view kTimestamp = "timestamp";
inline constexpr std::string_view kFile = "file";
inline constexpr std::string_view kHost = "host";
inline constexpr std::string_view kSourceType = "source_type";
}  // namespace names

}  // namespace millrace::agent
