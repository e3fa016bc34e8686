// Text of a web configuration file, and addresses and headers that are parsed beside it.
#include "common/http/web_config.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/http/basic_auth.h"
#include "common/http/listen.h"

using namespace millrace::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  static_cast<void>(ParseWebConfig(text, "f", "/"));
  static_cast<void>(ParseBasicAuth(text));
  static_cast<void>(CheckBcryptHash(text));
  static_cast<void>(ParseGoDuration(text));
  static_cast<void>(SplitHostPort(text));
  return 0;
}
