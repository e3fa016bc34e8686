#include "common/http/tls.h"

#include <algorithm>
#include <array>
#include <utility>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/base/strings.h"

namespace millrace::http {

namespace {

struct Cipher {
  std::string_view go_name;
  const char* openssl_name;  ///< nullptr: TLS 1.3, always on.
};
// In the order of preference of Go's server, which no configuration changes.
constexpr Cipher kCiphers[] = {
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {"TLS_AES_128_GCM_SHA256", nullptr},
    {"TLS_AES_256_GCM_SHA384", nullptr},
    {"TLS_CHACHA20_POLY1305_SHA256", nullptr},
};
constexpr std::pair<std::string_view, const char*> kCurves[] = {
    {"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}};
constexpr std::pair<std::string_view, int> kVersions[] = {{"TLS10", TLS1_VERSION},
                                                          {"TLS11", TLS1_1_VERSION},
                                                          {"TLS12", TLS1_2_VERSION},
                                                          {"TLS13", TLS1_3_VERSION}};
constexpr std::string_view kAuthTypes[] = {
    "NoClientCert",      "RequestClientCert",       "RequireAnyClientCert",
    "RequireClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"};

int VersionOf(std::string_view name) {
  for (const auto& [text, value] : kVersions)
    if (text == name) return value;
  return 0;
}

/// The newest message of OpenSSL's queue, which is emptied.
std::string OpenSslError() {
  const unsigned long code = ERR_peek_last_error();
  char text[256] = "unknown error";
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

template <auto F>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    F(p);
  }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

Bio Memory(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Status UseCertificate(SSL_CTX* ctx, const TlsMaterial& m) {
  const auto fail = [](std::string why) {
    return Fail(ErrorCode::kInvalidArgument, "failed to load X509KeyPair: " + std::move(why));
  };
  const Bio cert_bio = Memory(m.cert);
  const X509Ptr leaf(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
  if (!leaf) {
    ERR_clear_error();
    return fail("failed to find any PEM data in certificate input");
  }
  if (SSL_CTX_use_certificate(ctx, leaf.get()) != 1) return fail(OpenSslError());
  for (;;) {
    X509Ptr next(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    if (SSL_CTX_add0_chain_cert(ctx, next.get()) != 1) return fail(OpenSslError());
    next.release();  // the context owns it now
  }
  ERR_clear_error();
  const Bio key_bio = Memory(m.key);
  // Without this an encrypted key would ask for its password on the terminal.
  const auto no_password = [](char*, int, int, void*) { return 0; };
  const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_password, nullptr));
  if (!key) {
    ERR_clear_error();
    return fail("failed to find a usable PEM private key in key input");
  }
  if (SSL_CTX_use_PrivateKey(ctx, key.get()) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
    ERR_clear_error();
    return fail("private key does not match public key");
  }
  return {};
}

Status UseClientCas(SSL_CTX* ctx, const std::string& pem) {
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  const Bio bio = Memory(pem);
  for (;;) {
    const X509Ptr ca(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!ca) break;
    if (X509_STORE_add_cert(store, ca.get()) != 1 || SSL_CTX_add_client_CA(ctx, ca.get()) != 1) {
      return Fail(ErrorCode::kInvalidArgument, "client CA: " + OpenSslError());
    }
  }
  ERR_clear_error();  // the end of the file is an "error" of the queue
  return {};
}

/// What the verification of a client needs, owned by its context.
struct ClientPolicy {
  bool verify_chain = false;
  std::optional<std::vector<std::string>> allowed_sans;
  bool impossible_versions = false;  ///< min_version above max_version.
  bool broken = false;
  bool http2 = false;
};

int PolicyIndex() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* p, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<ClientPolicy*>(p);
      });
  return index;
}

std::string SanText(const GENERAL_NAME& name) {
  const ASN1_STRING* s = nullptr;
  switch (name.type) {
    case GEN_DNS:
      s = name.d.dNSName;
      break;
    case GEN_EMAIL:
      s = name.d.rfc822Name;
      break;
    case GEN_URI:
      s = name.d.uniformResourceIdentifier;
      break;
    case GEN_IPADD: {
      char text[INET6_ADDRSTRLEN];
      const int n = ASN1_STRING_length(name.d.iPAddress);
      const unsigned char* bytes = ASN1_STRING_get0_data(name.d.iPAddress);
      if ((n != 4 && n != 16) ||
          inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text) == nullptr)
        return {};
      return text;
    }
    default:
      return {};
  }
  const unsigned char* bytes = ASN1_STRING_get0_data(s);
  return {bytes, bytes + ASN1_STRING_length(s)};
}

bool HasAllowedSan(X509* cert, const std::vector<std::string>& allowed) {
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr));
  if (names == nullptr) return false;
  bool found = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; ++i) {
    const std::string text = SanText(*sk_GENERAL_NAME_value(names, i));
    found = !text.empty() && std::find(allowed.begin(), allowed.end(), text) != allowed.end();
  }
  GENERAL_NAMES_free(names);
  return found;
}

/// Chain first (where the policy asks for it), then the names.
int VerifyClient(X509_STORE_CTX* store, void* argument) {
  const auto& policy = *static_cast<const ClientPolicy*>(argument);
  if (policy.verify_chain && X509_verify_cert(store) != 1) return 0;
  X509* leaf = X509_STORE_CTX_get0_cert(store);
  if (policy.allowed_sans && (leaf == nullptr || !HasAllowedSan(leaf, *policy.allowed_sans))) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
  }
  return 1;
}

int OnClientHello(SSL*, int* alert, void* argument) {
  const auto& policy = *static_cast<const ClientPolicy*>(argument);
  if (policy.broken) {
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
  }
  if (policy.impossible_versions) {
    *alert = SSL_AD_PROTOCOL_VERSION;
    return SSL_CLIENT_HELLO_ERROR;
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* in, unsigned in_size, void*) {
  static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kOurs, sizeof kOurs - 1, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void SetCiphers(SSL_CTX* ctx, const TlsConfig& config, bool& only_tls13) {
  std::string list;
  for (const Cipher& c : kCiphers) {
    const bool wanted = config.cipher_suites.empty() ||
                        std::find(config.cipher_suites.begin(), config.cipher_suites.end(),
                                  c.go_name) != config.cipher_suites.end();
    if (wanted && c.openssl_name != nullptr) (list += list.empty() ? "" : ":") += c.openssl_name;
  }
  only_tls13 = list.empty();
  // TLS 1.0 and 1.1 sign with SHA-1, which OpenSSL 3 allows only at security level 0.
  if (!list.empty() && VersionOf(config.min_version) < TLS1_2_VERSION) list += ":@SECLEVEL=0";
  if (!list.empty()) SSL_CTX_set_cipher_list(ctx, list.c_str());
}

}  // namespace

bool IsCipherSuite(std::string_view name) {
  return std::any_of(std::begin(kCiphers), std::end(kCiphers),
                     [&](const Cipher& c) { return c.go_name == name; });
}

bool IsCurve(std::string_view name) {
  return std::any_of(std::begin(kCurves), std::end(kCurves),
                     [&](const auto& c) { return c.first == name; });
}

std::string CheckTlsConfig(const TlsConfig& c, bool http2) {
  if (c.Empty()) return {};
  if (c.cert.empty() && c.cert_file.empty()) return "missing one of cert or cert_file";
  if (c.key.empty() && c.key_file.empty()) return "missing one of key or key_file";
  if (!c.client_auth_type.empty() && std::find(std::begin(kAuthTypes), std::end(kAuthTypes),
                                               c.client_auth_type) == std::end(kAuthTypes))
    return "invalid client_auth_type \"" + c.client_auth_type + "\"" +
           DidYouMean(c.client_auth_type, kAuthTypes);
  const bool none = c.client_auth_type.empty() || c.client_auth_type == "NoClientCert";
  if (none && (!c.client_ca.empty() || !c.client_ca_file.empty()))
    return "client CAs have been configured without a client_auth_type that asks for certificates";
  const auto has = [&](std::string_view name) {
    return std::find(c.cipher_suites.begin(), c.cipher_suites.end(), name) != c.cipher_suites.end();
  };
  if (http2 && !c.cipher_suites.empty() && VersionOf(c.min_version) < TLS1_3_VERSION &&
      !has("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256") &&
      !has("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"))
    return "cipher_suites lacks a suite that HTTP/2 requires "
           "(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256); "
           "add one or set http_server_config.http2 to false";
  return {};
}

std::shared_ptr<void> BrokenTlsContext() {
  std::shared_ptr<SSL_CTX> ctx(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  auto* policy = new ClientPolicy;
  policy->broken = true;
  SSL_CTX_set_ex_data(ctx.get(), PolicyIndex(), policy);
  SSL_CTX_set_client_hello_cb(ctx.get(), OnClientHello, policy);
  return ctx;
}

Result<std::shared_ptr<void>> MakeTlsContext(const TlsConfig& config, const TlsMaterial& material,
                                             bool http2) {
  std::shared_ptr<SSL_CTX> ctx(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!ctx) return Fail(ErrorCode::kInternal, "tls: " + OpenSslError());
  SSL_CTX* c = ctx.get();
  auto* policy = new ClientPolicy;
  SSL_CTX_set_ex_data(c, PolicyIndex(), policy);  // freed with the context

  const int low = VersionOf(config.min_version), high = VersionOf(config.max_version);
  bool only_tls13 = false;
  SetCiphers(c, config, only_tls13);
  policy->impossible_versions = low > high;
  if (!policy->impossible_versions) {
    SSL_CTX_set_min_proto_version(c, only_tls13 ? TLS1_3_VERSION : low);
    SSL_CTX_set_max_proto_version(c, high);
  }
  SSL_CTX_set_client_hello_cb(c, OnClientHello, policy);
  SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION |
                             SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                          SSL_MODE_RELEASE_BUFFERS);
  static constexpr unsigned char kSessionContext[] = "millrace";
  SSL_CTX_set_session_id_context(c, kSessionContext, sizeof kSessionContext - 1);

  std::string groups;
  for (const std::string& name : config.curve_preferences)
    for (const auto& [go_name, openssl_name] : kCurves)
      if (go_name == name) (groups += groups.empty() ? "" : ":") += openssl_name;
  if (groups.empty()) groups = "X25519:P-256:P-384:P-521";
  if (SSL_CTX_set1_groups_list(c, groups.c_str()) != 1)
    return Fail(ErrorCode::kInvalidArgument, "curve_preferences: " + OpenSslError());

  MILLRACE_TRY(UseCertificate(c, material));

  const std::string& auth = config.client_auth_type;
  if (!auth.empty() && auth != "NoClientCert") {
    const bool required = auth.starts_with("Require");
    policy->verify_chain =
        auth == "VerifyClientCertIfGiven" || auth == "RequireAndVerifyClientCert";
    policy->allowed_sans = config.client_allowed_sans;
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
    SSL_CTX_set_cert_verify_callback(c, VerifyClient, policy);
    // A client's own certificate may be the trust anchor, as in Go.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(c), X509_V_FLAG_PARTIAL_CHAIN);
    if (config.client_ca.empty() && config.client_ca_file.empty()) {
      if (policy->verify_chain) SSL_CTX_set_default_verify_paths(c);
    } else {
      MILLRACE_TRY(UseClientCas(c, material.client_ca));
    }
  }
  if (http2) SSL_CTX_set_alpn_select_cb(c, SelectProtocol, nullptr);
  return ctx;
}

}  // namespace millrace::http
