#include "exporters/app_metrics/src/sentry/transport.h"

#include <algorithm>

#include <curl/curl.h>
#include <zlib.h>
#include <zstd.h>

#include "common/base/strings.h"

namespace millrace::app_metrics::sentry {
namespace {

bool Gzip(std::string_view in, std::string& out) {
  z_stream z{};
  constexpr int kGzipWindow = 15 + 16;
  if (::deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK)
    return false;
  out.resize(::deflateBound(&z, in.size()));
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const bool good = ::deflate(&z, Z_FINISH) == Z_STREAM_END;
  out.resize(z.total_out);
  ::deflateEnd(&z);
  return good;
}

bool Zstd(std::string_view in, std::string& out) {
  out.resize(::ZSTD_compressBound(in.size()));
  const std::size_t n = ::ZSTD_compress(out.data(), out.size(), in.data(), in.size(), 3);
  if (::ZSTD_isError(n) != 0) return false;
  out.resize(n);
  return true;
}

// The answer's body (an event id) is read and forgotten.
std::size_t Discard(char* /*data*/, std::size_t size, std::size_t n, void* /*user*/) {
  return size * n;
}

std::size_t TakeHeader(char* data, std::size_t size, std::size_t n, void* user) {
  auto& reply = *static_cast<Reply*>(user);
  const std::string_view line(data, size * n);
  const auto colon = line.find(':');
  if (colon != std::string_view::npos && line.size() < 4096) {
    const std::string_view name = line.substr(0, colon), value = Trim(line.substr(colon + 1));
    if (EqualsIgnoreCase(name, "retry-after")) reply.retry_after = value;
    if (EqualsIgnoreCase(name, "x-sentry-rate-limits")) reply.rate_limits = value;
  }
  return size * n;
}

int CheckDeadline(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto at = static_cast<std::atomic<std::chrono::steady_clock::rep>*>(user)->load();
  return at != 0 && std::chrono::steady_clock::now().time_since_epoch().count() > at ? 1 : 0;
}

}  // namespace

struct Transport::Handle {
  std::unique_ptr<CURL, decltype(&::curl_easy_cleanup)> curl{::curl_easy_init(),
                                                             &::curl_easy_cleanup};
  std::unique_ptr<curl_slist, decltype(&::curl_slist_free_all)> headers{nullptr,
                                                                        &::curl_slist_free_all};
  void Add(const std::string& line) {
    headers.reset(::curl_slist_append(headers.release(), line.c_str()));
  }
};

Transport::Transport(const Dsn& dsn, EnvelopeCompression compression,
                     std::chrono::milliseconds timeout, std::string ca_file)
    : compression_(compression) {
  static const CURLcode global = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(global);
  handle_ = std::make_unique<Handle>();
  CURL* c = handle_->curl.get();
  if (c == nullptr) return;
  handle_->Add("Content-Type: application/x-sentry-envelope");
  handle_->Add(
      "X-Sentry-Auth: Sentry sentry_version=7, sentry_client=millrace.app_metrics/0.1.0, "
      "sentry_key=" +
      dsn.public_key);
  handle_->Add("Expect:");
  if (compression == EnvelopeCompression::kGzip) handle_->Add("Content-Encoding: gzip");
  if (compression == EnvelopeCompression::kZstd) handle_->Add("Content-Encoding: zstd");
  ::curl_easy_setopt(c, CURLOPT_URL, dsn.envelope_url.c_str());
  ::curl_easy_setopt(c, CURLOPT_HTTPHEADER, handle_->headers.get());
  ::curl_easy_setopt(c, CURLOPT_USERAGENT, "millrace.app_metrics/0.1.0");
  ::curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  ::curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &Discard);
  ::curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, &TakeHeader);
  ::curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, &CheckDeadline);
  ::curl_easy_setopt(c, CURLOPT_XFERINFODATA, &give_up_);
  if (!ca_file.empty()) ::curl_easy_setopt(c, CURLOPT_CAINFO, ca_file.c_str());
}

Transport::~Transport() = default;

Reply Transport::Post(std::string_view envelope) {
  Reply reply;
  CURL* c = handle_->curl.get();
  if (c == nullptr) {
    reply.error = "libcurl gave no handle";
    return reply;
  }
  std::string body;
  const bool packed = compression_ == EnvelopeCompression::kGzip   ? Gzip(envelope, body)
                      : compression_ == EnvelopeCompression::kZstd ? Zstd(envelope, body)
                                                                   : (body = envelope, true);
  if (!packed) {
    reply.error = "compression failed";
    return reply;
  }
  ::curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.data());
  ::curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  ::curl_easy_setopt(c, CURLOPT_HEADERDATA, &reply);
  const CURLcode code = ::curl_easy_perform(c);
  if (code != CURLE_OK) {
    reply.error = ::curl_easy_strerror(code);
    return reply;
  }
  long status = 0;
  ::curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  return reply;
}

}  // namespace millrace::app_metrics::sentry
