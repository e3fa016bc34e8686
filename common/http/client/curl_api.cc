#include "common/http/client/curl_api.h"

#include <dlfcn.h>

namespace millrace::http {
namespace {

template <class F>
bool Look(void* library, const char* name, F& out) {
  out = reinterpret_cast<F>(::dlsym(library, name));
  return out != nullptr;
}

Result<const CurlApi*> Load() {
  void* library = nullptr;
  // Debian's two builds, and the one of other systems; same interface.
  for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"})
    if (library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL); library != nullptr) break;
  if (library == nullptr)
    return Fail(ErrorCode::kNotFound, "HTTP needs the library libcurl.so.4 (package libcurl4)");
  static CurlApi api;
  if (!Look(library, "curl_global_init", api.global_init) ||
      !Look(library, "curl_easy_init", api.easy_init) ||
      !Look(library, "curl_easy_cleanup", api.easy_cleanup) ||
      !Look(library, "curl_easy_reset", api.easy_reset) ||
      !Look(library, "curl_easy_setopt", api.easy_setopt) ||
      !Look(library, "curl_easy_perform", api.easy_perform) ||
      !Look(library, "curl_easy_getinfo", api.easy_getinfo) ||
      !Look(library, "curl_easy_strerror", api.easy_strerror) ||
      !Look(library, "curl_slist_append", api.slist_append) ||
      !Look(library, "curl_slist_free_all", api.slist_free_all))
    return Fail(ErrorCode::kNotFound, "libcurl lacks a function that HTTP needs");
  if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return Fail(ErrorCode::kInternal, "libcurl does not start");
  return &api;
}

}  // namespace

Result<const CurlApi*> LoadCurl() {
  static const Result<const CurlApi*> result = Load();
  return result;
}

}  // namespace millrace::http
