#pragma once
// Text into JSON strings and back.
#include <string_view>

#include "common/base/buffer.h"

namespace millrace::agent {

/// Appends `s` as the inside of a JSON string, without the quotes. Bytes that are not UTF-8 become
/// U+FFFD, so the output is always valid JSON.
void AppendEscaped(Buffer& out, std::string_view s);

/// Copies `s` to `out`, which has room for 16 bytes more, if it needs no escape and is ASCII, as
/// most of what logs hold. Returns the end; null if it is not so, and then `out` holds nothing of
/// use.
char* CopyPlainAscii(char* out, std::string_view s);

/// Appends the text that the inside of a valid JSON string stands for. A lone surrogate becomes
/// U+FFFD.
void AppendUnescaped(Buffer& out, std::string_view escaped);

/// Appends `s` with bytes that are not UTF-8 replaced by U+FFFD.
void AppendUtf8(Buffer& out, std::string_view s);

}  // namespace millrace::agent
