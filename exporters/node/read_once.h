#pragma once
// For files that are many and short-lived (/proc/PID/...): opened, read and closed, because keeping
// their descriptors would hold thousands.
#include <string>
#include <string_view>

namespace millrace::node {

/// Reads into `buffer`, which keeps its memory. 0, or errno. A larger file is cut at `limit`.
[[nodiscard]] int ReadOnce(const std::string& path, std::string& buffer,
                           std::size_t limit = std::size_t{1} << 20);

}  // namespace millrace::node
