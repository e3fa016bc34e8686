// A check over libcurl.
#include <algorithm>
#include <memory>

#include <curl/curl.h>

#include "millrace/app_metrics/checks.h"

namespace millrace::app_metrics::checks {
namespace {

std::size_t Discard(char* /*data*/, std::size_t size, std::size_t n, void* /*user*/) {
  return size * n;
}

}  // namespace

HealthCheck Http(std::string name, std::string url) {
  static const CURLcode global = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(global);
  HealthCheck check;
  check.name = std::move(name);
  check.run = [url = std::move(url)](std::chrono::steady_clock::time_point deadline) {
    const std::unique_ptr<CURL, decltype(&::curl_easy_cleanup)> curl(::curl_easy_init(),
                                                                     &::curl_easy_cleanup);
    if (!curl) return CheckResult::Failed("out of memory");
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    ::curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    ::curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS,
                       static_cast<long>(std::max<long long>(1, left.count())));
#if LIBCURL_VERSION_NUM >= 0x075500
    ::curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
#else
    ::curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    ::curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Discard);
    if (const CURLcode code = ::curl_easy_perform(curl.get()); code != CURLE_OK)
      return CheckResult::Failed(::curl_easy_strerror(code));
    long status = 0;
    ::curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300 ? CheckResult::Ok()
                                         : CheckResult::Failed("status " + std::to_string(status));
  };
  return check;
}

}  // namespace millrace::app_metrics::checks
