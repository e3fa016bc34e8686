#pragma once
// Where reports go and with which key: https://develop.sentry.dev/sdk/overview/#parsing-the-dsn
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::app_metrics::sentry {

struct Dsn {
  std::string envelope_url;  ///< {scheme}://{host}{path}/api/{project}/envelope/
  std::string public_key;
};
/// The error never holds the DSN, which is a secret.
[[nodiscard]] Result<Dsn> ParseDsn(std::string_view text);

}  // namespace millrace::app_metrics::sentry
