#pragma once
// Names of DNS types, classes and response codes, as IANA and the original's library spell them.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::uptime_probe::dns {

[[nodiscard]] std::optional<std::uint16_t> TypeByName(std::string_view name);
[[nodiscard]] std::optional<std::uint16_t> ClassByName(std::string_view name);
[[nodiscard]] std::optional<int> RcodeByName(std::string_view name);
/// "TYPE4711" for one without a name.
[[nodiscard]] std::string TypeName(std::uint16_t type);
[[nodiscard]] std::string ClassName(std::uint16_t class_);
[[nodiscard]] std::string RcodeName(int rcode);

}  // namespace millrace::uptime_probe::dns
