#include "agent/kafka/rdkafka_api.h"

#include <cstdlib>
#include <map>
#include <mutex>

#include <dlfcn.h>

namespace millrace::agent::kafka {
namespace {

constexpr const char* kDefaultLibrary = "librdkafka.so.1";
/// 1.9.0: closing a consumer with a deadline.
constexpr int kOldest = 0x010900ff;

std::string LinkerError() {
  const char* text = dlerror();
  return text != nullptr ? text : "unknown error of the dynamic linker";
}

Result<std::unique_ptr<Api>> Open(const std::string& path) {
  // RTLD_LOCAL: a library that the user named may bring its own OpenSSL along.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Fail(ErrorCode::kNotFound,
                "cannot load librdkafka (" + LinkerError() +
                    "); install it (Debian, Ubuntu: librdkafka1) or name it with librdkafka_path");
  }
  auto api = std::make_unique<Api>();
  api->path = path;
  const char* missing = nullptr;
#define MILLRACE_RDKAFKA_RESOLVE(name)                                                  \
  api->name = reinterpret_cast<decltype(api->name)>(dlsym(library, "rd_kafka_" #name)); \
  if (api->name == nullptr) missing = "rd_kafka_" #name;
  MILLRACE_RDKAFKA_FUNCTIONS(MILLRACE_RDKAFKA_RESOLVE)
#undef MILLRACE_RDKAFKA_RESOLVE
  api->create = reinterpret_cast<decltype(api->create)>(dlsym(library, "rd_kafka_new"));
  if (api->create == nullptr) missing = "rd_kafka_new";
  if (missing != nullptr || api->version() < kOldest) {
    std::string what = path + " is not librdkafka 1.9 or newer";
    if (missing != nullptr) what += std::string(" (it lacks ") + missing + ")";
    dlclose(library);
    return Fail(ErrorCode::kInvalidArgument, std::move(what));
  }
  return api;
}

}  // namespace

Result<const Api*> Api::Load(const std::string& path) {
  static std::mutex mu;
  static auto* const loaded = new std::map<std::string, std::unique_ptr<Api>>();
  const std::lock_guard lock(mu);
  std::string wanted = path;
  if (wanted.empty()) {
    const char* env = std::getenv("MILLRACE_LIBRDKAFKA");  // NOLINT(concurrency-mt-unsafe)
    wanted = env != nullptr && *env != '\0' ? env : kDefaultLibrary;
  }
  std::unique_ptr<Api>& entry = (*loaded)[wanted];
  if (entry == nullptr) {
    auto opened = Open(wanted);
    if (!opened) {
      loaded->erase(wanted);
      return tl::unexpected<Error>(std::move(opened).error());
    }
    entry = std::move(*opened);
  }
  return entry.get();
}

}  // namespace millrace::agent::kafka
