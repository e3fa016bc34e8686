#pragma once
// Stack traces: taken where it matters (addresses only), told later by another thread.
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

namespace millrace::app_metrics::sentry {

struct RawStack {
  std::array<void*, 64> addresses;
  std::size_t size = 0;
};
/// The stack from the frame that returns to `from` on (__builtin_return_address(0) of a function:
/// its caller), innermost first. Counting frames instead would depend on what was inlined.
void CaptureStack(RawStack& out, const void* from);

/// The stack at the throw of `exception`, if it was this thread's last one; else false. Exceptions
/// are seen because the library puts itself in front of __cxa_throw.
[[nodiscard]] bool StackOfThrow(const std::exception_ptr& exception, RawStack& out);

struct Frame {
  std::uint64_t address = 0;
  std::string function, file, module;
  int line = 0;
};
/// Function, file and line as far as symbols and debug information tell; inlined functions are
/// frames of their own. Innermost first. Return addresses are looked up one byte before. Not for
/// signal handlers. Thread safe.
[[nodiscard]] std::vector<Frame> Symbolize(const std::vector<std::uint64_t>& addresses);

struct Image {
  std::string path, code_id;  ///< code_id: build id in hex
  std::uint64_t begin = 0, end = 0;
};
/// The executable and the libraries that are loaded.
[[nodiscard]] std::vector<Image> LoadedImages();

}  // namespace millrace::app_metrics::sentry
