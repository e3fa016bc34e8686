#include "common/base/result.h"

#include <cerrno>
#include <system_error>

namespace millrace {

tl::unexpected<Error> FailErrno(std::string_view what, int error_number) {
  ErrorCode code = ErrorCode::kUnavailable;
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ENXIO:
    case ENODEV:
    case ESRCH:
      code = ErrorCode::kNotFound;
      break;
    case EACCES:
    case EPERM:
      code = ErrorCode::kPermission;
      break;
    case EINVAL:
    case EISDIR:
      code = ErrorCode::kInvalidArgument;
      break;
    case ETIMEDOUT:
      code = ErrorCode::kTimeout;
      break;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
      code = ErrorCode::kResourceExhausted;
      break;
    default:
      break;
  }
  return Fail(code, std::string(what) + ": " + std::generic_category().message(error_number));
}

}  // namespace millrace
