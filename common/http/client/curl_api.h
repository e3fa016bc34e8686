#pragma once
// libcurl, loaded when first used: a process that makes no HTTP request must not pay the 6 MB that
// it and what it links to take.
#define CURL_DISABLE_TYPECHECK  // its macros hide the functions that are looked up here
#include <curl/curl.h>

#include "common/base/result.h"

namespace millrace::http {

struct CurlApi {
  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_perform) easy_perform;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
};

/// The same answer on every call. Thread safe. kNotFound: there is no libcurl on this machine.
[[nodiscard]] Result<const CurlApi*> LoadCurl();

}  // namespace millrace::http
