#pragma once
// Checks of our own invariants. Never on input: bad input is a Result or a counted outcome.

namespace millrace::internal {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}

/// Aborts in every build when `condition` is false.
#define MILLRACE_CHECK(condition) \
  (static_cast<bool>(condition)   \
       ? static_cast<void>(0)     \
       : ::millrace::internal::CheckFailed(#condition, __FILE__, __LINE__))

/// For hot paths: checked in debug builds only.
#ifdef NDEBUG
#define MILLRACE_DCHECK(condition) static_cast<void>(sizeof(condition))
#else
#define MILLRACE_DCHECK(condition) MILLRACE_CHECK(condition)
#endif
