#pragma once
#include <string>

#include "agent/core/event.h"

namespace millrace::agent {

/// The 22 characters of base64url that stand for an event's identity as a document's _id. The
/// servers store an _id of this form as its 16 bytes; hexadecimal would take twice as much.
inline constexpr std::size_t kDocumentIdSize = 22;
/// `out` has room for kDocumentIdSize bytes. Returns the end.
char* WriteDocumentId(const EventId& id, char* out);
[[nodiscard]] std::string DocumentId(const EventId& id);

}  // namespace millrace::agent
