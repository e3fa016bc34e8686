#pragma once
#include <string_view>

#include "common/base/utf8.h"

namespace millrace::exposition {

/// U+FFFD, what stands for a byte that is not UTF-8.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace millrace::exposition
