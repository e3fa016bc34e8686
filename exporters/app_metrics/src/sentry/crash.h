#pragma once
// What is left of a process that a signal killed. The handler only writes addresses and the memory
// map into a file that was opened before; the next process of the folder tells them.
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "exporters/app_metrics/src/sentry/event.h"

namespace millrace::app_metrics::sentry {

/// Process wide, once. Makes `dir`/crash-PID.raw, puts handlers for SIGSEGV, SIGABRT, SIGBUS,
/// SIGFPE and SIGILL in place and an alternate stack for the calling thread, so that its stack may
/// overflow. The handlers of before, or the default action, follow ours.
[[nodiscard]] Status InstallCrashHandlers(const std::string& dir);
/// Puts the handlers of before back and removes the empty file.
void RemoveCrashHandlers();
/// From now on SIGABRT is not written down: std::terminate has reported already.
void IgnoreAbort();

/// The crashes of processes that are gone, as events without id; their files are removed.
[[nodiscard]] std::vector<Event> CollectCrashes(const std::string& dir);

/// For tests: one crash file's text.
[[nodiscard]] Result<Event> ParseCrash(const std::string& text);

}  // namespace millrace::app_metrics::sentry
