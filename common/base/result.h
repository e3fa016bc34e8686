#pragma once
// The project's only error type. Anything that can fail for a reason outside the program returns
// Result<T>; programming mistakes are CHECKs. Third-party exceptions stop at the file that calls
// the library which throws them.
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace millrace {

/// What a caller may decide on. Keep it short: a new code needs a caller that treats it
/// differently.
enum class ErrorCode : unsigned char {
  kInvalidArgument,    ///< Bad configuration or bad call; retrying cannot help.
  kNotFound,           ///< The thing asked for is absent, and absence is a normal answer.
  kPermission,         ///< The caller may not do it; an operator has to act.
  kParse,              ///< Input bytes do not follow their format.
  kUnavailable,        ///< Network, broker or disk trouble; the same call may succeed later.
  kTimeout,            ///< A deadline passed.
  kResourceExhausted,  ///< A limit of ours was reached (queue, size, open files).
  kCancelled,          ///< Shutdown was asked for while waiting.
  kInternal,           ///< None of the above.
};

struct Error {
  ErrorCode code;
  std::string message;  ///< Lower case, no trailing period, fit to follow "cannot X: ".

  /// Puts `where` in front: "sinks.es: connect 10.0.0.7:9200: connection refused".
  [[nodiscard]] Error Within(std::string_view where) && {
    message.insert(0, ": ").insert(0, where);
    return std::move(*this);
  }
  [[nodiscard]] bool retryable() const {
    return code == ErrorCode::kUnavailable || code == ErrorCode::kResourceExhausted ||
           code == ErrorCode::kTimeout;
  }
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

/// "open /x/y: No such file or directory", with the code that errno stands for.
[[nodiscard]] tl::unexpected<Error> FailErrno(std::string_view what, int error_number);

}  // namespace millrace

/// Return the error to the caller, or bind the value. The only control-flow macros of the project.
#define MILLRACE_CONCAT_(a, b) a##b
#define MILLRACE_CONCAT(a, b) MILLRACE_CONCAT_(a, b)
#define MILLRACE_TRY(expr)                                       \
  do {                                                           \
    if (auto millrace_r = (expr); !millrace_r)                   \
      return tl::make_unexpected(std::move(millrace_r).error()); \
  } while (0)
#define MILLRACE_ASSIGN(decl, expr)                                                        \
  auto MILLRACE_CONCAT(millrace_r_, __LINE__) = (expr);                                    \
  if (!MILLRACE_CONCAT(millrace_r_, __LINE__))                                             \
    return tl::make_unexpected(std::move(MILLRACE_CONCAT(millrace_r_, __LINE__)).error()); \
  decl = std::move(*MILLRACE_CONCAT(millrace_r_, __LINE__))
