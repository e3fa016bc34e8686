#include "exporters/uptime_probe/io/tls.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "exporters/uptime_probe/config.h"
#include "exporters/uptime_probe/io/certificate.h"

namespace millrace::uptime_probe {
namespace {

std::string OpensslError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown TLS error";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("TLS error {:x}", code);
}

tl::unexpected<Error> FailTls(std::string_view what) {
  return Fail(ErrorCode::kUnavailable, fmt::format("{}: {}", what, OpensslError()));
}

/// What the verification of one handshake sees, hung on the SSL object.
struct Verification {
  TlsInfo* info;
  bool verify;
};

int VerificationSlot() {
  static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return slot;
}

std::string_view Classify(int error) {
  switch (error) {
    case X509_V_OK:
      return "";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "certificate_expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "certificate_not_yet_valid";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "certificate_name";
    default:
      return "certificate_untrusted";
  }
}

/// Stands in for OpenSSL's verification, because after a refusal OpenSSL forgets the certificates
/// that the metrics should show.
int VerifyPeer(X509_STORE_CTX* store, void* /*argument*/) {
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* verification = static_cast<Verification*>(SSL_get_ex_data(ssl, VerificationSlot()));
  STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(store);
  DescribeCertificates(sent, *verification->info);
  verification->info->last_chain_expiry = kGoZeroTime;
  if (!verification->verify) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  const int ok = X509_verify_cert(store);
  if (ok > 0) {
    verification->info->verified = true;
    verification->info->last_chain_expiry = EarliestExpiry(X509_STORE_CTX_get0_chain(store));
  } else {
    verification->info->verify_failure = Classify(X509_STORE_CTX_get_error(store));
  }
  return ok > 0 ? 1 : 0;
}

Result<std::string> Material(const std::string& text, const std::string& file,
                             const std::string& ref, const char* what) {
  if (!ref.empty())
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("cannot use {}_ref: there is no secret manager", what));
  if (!file.empty()) {
    auto read = ReadFile(file, std::size_t{16} << 20);
    if (!read)
      return tl::make_unexpected(
          std::move(read).error().Within(fmt::format("cannot read {}_file", what)));
    return read;
  }
  return text;
}

struct BioDeleter {
  void operator()(BIO* b) const { BIO_free(b); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;
struct X509Deleter {
  void operator()(X509* x) const { X509_free(x); }
};
using Certificate = std::unique_ptr<X509, X509Deleter>;
struct KeyDeleter {
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
};

Bio Memory(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Status UseAuthorities(SSL_CTX* context, const std::string& pem) {
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  const Bio bio = Memory(pem);
  int count = 0;
  while (Certificate certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(store, certificate.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return Fail(ErrorCode::kInvalidArgument, "no certificate in the CA data");
  return {};
}

Status UseClientCertificate(SSL_CTX* context, const std::string& cert, const std::string& key) {
  const Bio bio = Memory(cert);
  const Certificate leaf{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
  if (leaf == nullptr || SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return FailTls("cannot use the client certificate");
  while (X509* more = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    SSL_CTX_add_extra_chain_cert(context, more);
  ERR_clear_error();
  const Bio key_bio = Memory(key);
  const std::unique_ptr<EVP_PKEY, KeyDeleter> pkey(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  if (pkey == nullptr || SSL_CTX_use_PrivateKey(context, pkey.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1)
    return FailTls("cannot use the key of the client certificate");
  return {};
}

int OpensslVersion(TlsVersion v, int unset) {
  switch (v) {
    case TlsVersion::kTls10:
      return TLS1_VERSION;
    case TlsVersion::kTls11:
      return TLS1_1_VERSION;
    case TlsVersion::kTls12:
      return TLS1_2_VERSION;
    case TlsVersion::kTls13:
      return TLS1_3_VERSION;
    case TlsVersion::kUnset:
      break;
  }
  return unset;
}

/// Two configurations with one key have the same context; a changed file changes the key.
std::string CacheKey(const TlsConfig& c) {
  std::string key;
  const auto part = [&key](const std::string& text) {
    key += std::to_string(text.size());
    key += ':';
    key += text;
  };
  const auto file = [&](const std::string& path) {
    part(path);
    struct stat st{};
    if (!path.empty() && ::stat(path.c_str(), &st) == 0)
      key +=
          fmt::format("@{}.{}.{}.{}", st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_size, st.st_ino);
  };
  part(c.ca);
  part(c.cert);
  part(c.key.value);
  file(c.ca_file);
  file(c.cert_file);
  file(c.key_file);
  part(c.ca_ref);
  part(c.cert_ref);
  part(c.key_ref);
  key += fmt::format("{}{}{}", static_cast<int>(c.insecure_skip_verify),
                     static_cast<int>(c.min_version), static_cast<int>(c.max_version));
  return key;
}

}  // namespace

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsContext>> TlsContext::Make(const TlsConfig& c) {
  MILLRACE_ASSIGN(const std::string ca, Material(c.ca, c.ca_file, c.ca_ref, "ca"));
  MILLRACE_ASSIGN(const std::string cert, Material(c.cert, c.cert_file, c.cert_ref, "cert"));
  MILLRACE_ASSIGN(const std::string key, Material(c.key.value, c.key_file, c.key_ref, "key"));
  std::shared_ptr<TlsContext> made(new TlsContext);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  made->context_ = context;
  if (context == nullptr) return FailTls("TLS");
  made->verify_ = !c.insecure_skip_verify;
  const int least = OpensslVersion(c.min_version, TLS1_2_VERSION);
  SSL_CTX_set_min_proto_version(context, least);
  SSL_CTX_set_max_proto_version(context, OpensslVersion(c.max_version, 0));
  // A prober has to reach old servers that a browser would refuse: small keys (level 1), the
  // digests of TLS 1.0 when that is asked for (level 0), no secure renegotiation (never used here).
  SSL_CTX_set_security_level(context, least < TLS1_2_VERSION ? 0 : 1);
  SSL_CTX_set_options(
      context, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET);
  SSL_CTX_set_cipher_list(
      context,
      "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:DHE+AESGCM:AESGCM:AES:!aNULL:!eNULL:!PSK:!SRP");
  // Short lists: OpenSSL 3.0 walks all it knows in every handshake.
  SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384:P-521");
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &VerifyPeer, nullptr);
  // A certificate in ca_file is trusted although its own issuer is not known.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context),
                              X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  if (!ca.empty()) {
    MILLRACE_TRY(UseAuthorities(context, ca));
  } else if (made->verify_) {
    SSL_CTX_set_default_verify_paths(context);
  }
  if (!cert.empty()) MILLRACE_TRY(UseClientCertificate(context, cert, key));
  return std::shared_ptr<const TlsContext>(std::move(made));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::Get(const TlsConfig& config) {
  static std::mutex mu;
  static std::map<std::string, std::shared_ptr<const TlsContext>> cache;
  constexpr std::size_t kMostContexts = 256;
  const std::string key = CacheKey(config);
  {
    const std::lock_guard lock(mu);
    if (const auto it = cache.find(key); it != cache.end()) return it->second;
  }
  auto made = Make(config);
  if (!made) return made;
  const std::lock_guard lock(mu);
  // Files that rotate leave dead entries; a full cache starts again.
  if (cache.size() >= kMostContexts) cache.clear();
  cache[key] = *made;
  return made;
}

Result<std::unique_ptr<TlsStream>> TlsStream::Connect(std::unique_ptr<Stream> inner,
                                                      const TlsContext& context,
                                                      const std::string& server_name,
                                                      const std::vector<std::string>& alpn,
                                                      TlsInfo& info) {
  std::unique_ptr<TlsStream> stream(new TlsStream(std::move(inner)));
  ERR_clear_error();
  SSL* ssl = SSL_new(context.get());
  stream->ssl_ = ssl;
  if (ssl == nullptr || SSL_set_fd(ssl, stream->fd()) != 1) return FailTls("TLS");
  Verification verification{&info, context.verify()};
  SSL_set_ex_data(ssl, VerificationSlot(), &verification);
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
  if (const auto ip = ParseIp(server_name)) {
    const auto bytes = ip->Bytes();
    X509_VERIFY_PARAM_set1_ip(param, reinterpret_cast<const unsigned char*>(bytes.data()),
                              bytes.size());
  } else if (!server_name.empty()) {
    std::string name = server_name;
    if (name.ends_with('.')) name.pop_back();
    // RFC 6125 6.4.4 as browsers have it: the subject's common name does not count.
    X509_VERIFY_PARAM_set_hostflags(
        param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set1_host(param, name.data(), name.size());
    // The macro SSL_set_tlsext_host_name hides a C cast.
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  } else if (context.verify()) {
    return Fail(ErrorCode::kInvalidArgument,
                "tls: either server_name or insecure_skip_verify must be given");
  }
  if (!alpn.empty()) {
    std::string wire;
    for (const auto& protocol : alpn) {
      wire += static_cast<char>(protocol.size());
      wire += protocol;
    }
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned>(wire.size()));
  }
  auto shaken = stream->Handshake();
  SSL_set_ex_data(ssl, VerificationSlot(), nullptr);
  if (!shaken) return tl::make_unexpected(std::move(shaken).error().Within("tls handshake"));
  switch (SSL_version(ssl)) {
    case TLS1_VERSION:
      info.version = "TLS 1.0";
      break;
    case TLS1_1_VERSION:
      info.version = "TLS 1.1";
      break;
    case TLS1_2_VERSION:
      info.version = "TLS 1.2";
      break;
    case TLS1_3_VERSION:
      info.version = "TLS 1.3";
      break;
    default:
      info.version = "unknown";
  }
  if (const char* name = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl))) info.cipher = name;
  const unsigned char* chosen = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl, &chosen, &length);
  info.alpn.assign(reinterpret_cast<const char*>(chosen), length);
  return stream;
}

TlsStream::~TlsStream() {
  // No close_notify: the targets of a probe see the connection close at once, and a peer that does
  // not read must not be waited for.
  SSL_free(ssl_);
}

Status TlsStream::WaitAfter(int result, const char* what) {
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    auto waited = Wait(fd(), error == SSL_ERROR_WANT_READ ? WaitFor::kReadable : WaitFor::kWritable,
                       deadline());
    if (!waited) return tl::make_unexpected(std::move(waited).error().Within(what));
    return {};
  }
  if (error == SSL_ERROR_SYSCALL) {
    const int saved = errno;
    ERR_clear_error();
    if (saved != 0) return FailErrno(what, saved);
    return Fail(ErrorCode::kUnavailable, std::string(what) + ": connection closed by the peer");
  }
  return FailTls(what);
}

Status TlsStream::Handshake() {
  for (;;) {
    errno = 0;
    const int r = SSL_connect(ssl_);
    if (r == 1) return {};
    const long verify = SSL_get_verify_result(ssl_);
    const int error = SSL_get_error(ssl_, r);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE && verify != X509_V_OK) {
      ERR_clear_error();
      return Fail(ErrorCode::kPermission, fmt::format("certificate verify failed: {}",
                                                      X509_verify_cert_error_string(verify)));
    }
    MILLRACE_TRY(WaitAfter(r, "tls"));
  }
}

Result<std::size_t> TlsStream::Read(char* buffer, std::size_t size) {
  for (;;) {
    errno = 0;
    const int r = SSL_read(ssl_, buffer, static_cast<int>(std::min<std::size_t>(size, 1 << 30)));
    if (r > 0) {
      if (Clock::now() >= deadline()) return Fail(ErrorCode::kTimeout, "read: deadline exceeded");
      return static_cast<std::size_t>(r);
    }
    if (SSL_get_error(ssl_, r) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
    MILLRACE_TRY(WaitAfter(r, "read"));
  }
}

Status TlsStream::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    errno = 0;
    const int r = SSL_write(ssl_, bytes.data(),
                            static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 30)));
    if (r > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(r));
      continue;
    }
    MILLRACE_TRY(WaitAfter(r, "write"));
  }
  return {};
}

}  // namespace millrace::uptime_probe
