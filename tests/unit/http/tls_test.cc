// TLS, client certificates and HTTP/2 against a real client (libcurl), with certificates made here.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <curl/curl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/http/server.h"
#include "tests/support/catch.h"

namespace millrace::http {
namespace {

namespace fs = std::filesystem;

struct Directory {
  Directory() {
    std::string name = (fs::temp_directory_path() / "millrace-tls-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }
  std::string path;
};

std::string PemOf(const std::function<int(BIO*)>& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
  REQUIRE(write(bio.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

struct Identity {
  std::string cert, key;
};
/// A self-signed certificate with one DNS name.
Identity MakeIdentity(const std::string& name) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), X509_free);
  X509_set_version(cert.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 86400);
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(cert.get(), subject);
  const std::string san = "DNS:" + name;
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, san.c_str());
  X509_add_ext(cert.get(), extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(cert.get(), key.get(), EVP_sha256());
  return {PemOf([&](BIO* b) { return PEM_write_bio_X509(b, cert.get()); }), PemOf([&](BIO* b) {
            return PEM_write_bio_PrivateKey(b, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

struct Reply {
  CURLcode code = CURLE_OK;
  long status = 0, version = 0;
  std::string body;
};
struct Ask {
  std::string cert, key, post;
  long http_version = CURL_HTTP_VERSION_1_1;
  long tls_max = CURL_SSLVERSION_MAX_DEFAULT;
};
Reply Fetch(const std::string& url, const Ask& ask = {}) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> c(curl_easy_init(), curl_easy_cleanup);
  Reply r;
  curl_easy_setopt(c.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(c.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(c.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(c.get(), CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(c.get(), CURLOPT_HTTP_VERSION, ask.http_version);
  curl_easy_setopt(c.get(), CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 | ask.tls_max);
  if (!ask.cert.empty()) {
    curl_easy_setopt(c.get(), CURLOPT_SSLCERT, ask.cert.c_str());
    curl_easy_setopt(c.get(), CURLOPT_SSLKEY, ask.key.c_str());
  }
  if (!ask.post.empty()) {
    curl_easy_setopt(c.get(), CURLOPT_POSTFIELDS, ask.post.c_str());
    curl_easy_setopt(c.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(ask.post.size()));
  }
  curl_easy_setopt(c.get(), CURLOPT_WRITEDATA, &r.body);
  curl_easy_setopt(
      c.get(), CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t one, std::size_t size, void* to) {
        static_cast<std::string*>(to)->append(data, one * size);
        return one * size;
      });
  r.code = curl_easy_perform(c.get());
  curl_easy_getinfo(c.get(), CURLINFO_RESPONSE_CODE, &r.status);
  curl_easy_getinfo(c.get(), CURLINFO_HTTP_VERSION, &r.version);
  return r;
}

std::unique_ptr<Server> StartTls(const std::string& config) {
  Routes routes;
  routes.Exact("/metrics", [](const Request& q, Response& r) {
    r.SetContentType("text/plain");
    r.body.assign(q.tls ? "secure " : "open ").append(q.method);
  });
  routes.Exact("/echo", [](const Request& q, Response& r) { r.body.assign(q.body); });
  routes.Exact("/big", [](const Request&, Response& r) { r.body.assign(4 << 20, 'x'); });
  ServerOptions options;
  options.listen_addresses = {"127.0.0.1:0"};
  options.web_config_file = config;
  auto server = Server::Start(std::move(options), std::move(routes));
  if (!server) FAIL(server.error().message);
  return std::move(*server);
}

std::string Url(const Server& server, const std::string& path) {
  return "https://127.0.0.1:" + std::to_string(server.port()) + path;
}

TEST_CASE("HTTPS with HTTP/1.1 and HTTP/2") {
  const Directory dir;
  const Identity id = MakeIdentity("localhost");
  dir.Write("a.crt", id.cert);
  dir.Write("a.key", id.key);
  const auto server =
      StartTls(dir.Write("web.yml", "tls_server_config: {cert_file: a.crt, key_file: a.key}\n"));
  for (const long version : {CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2TLS}) {
    INFO(version);
    Ask ask;
    ask.http_version = version;
    const Reply r = Fetch(Url(*server, "/metrics?x=1"), ask);
    CHECK(r.code == CURLE_OK);
    CHECK(r.status == 200);
    CHECK(r.body == "secure GET");
    CHECK(r.version ==
          (version == CURL_HTTP_VERSION_1_1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2_0));
    CHECK(Fetch(Url(*server, "/nosuch"), ask).status == 404);
    // Beyond the flow-control window of HTTP/2 and the socket's buffer.
    CHECK(Fetch(Url(*server, "/big"), ask).body.size() == 4 << 20);
    ask.post.assign(300'000, 'p');
    CHECK(Fetch(Url(*server, "/echo"), ask).body == ask.post);
    ask.post.assign(2 << 20, 'p');
    CHECK(Fetch(Url(*server, "/echo"), ask).status == 413);
  }
  // Plain HTTP to the TLS port is told so.
  const Reply plain = Fetch("http://127.0.0.1:" + std::to_string(server->port()) + "/metrics");
  CHECK(plain.status == 400);
  CHECK_THAT(plain.body, Catch::Contains("HTTP request to an HTTPS server"));
}

TEST_CASE("Certificates are loaded again when they changed, and broken ones refused") {
  const Directory dir;
  const Identity first = MakeIdentity("first"), second = MakeIdentity("second");
  dir.Write("a.crt", first.cert);
  dir.Write("a.key", first.key);
  const auto server =
      StartTls(dir.Write("web.yml", "tls_server_config: {cert_file: a.crt, key_file: a.key}\n"));
  CHECK(Fetch(Url(*server, "/metrics")).status == 200);
  dir.Write("a.crt", second.cert);
  CHECK(Fetch(Url(*server, "/metrics")).code != CURLE_OK);  // does not fit the key
  dir.Write("a.key", second.key);
  CHECK(Fetch(Url(*server, "/metrics")).status == 200);
  fs::remove(dir.path + "/web.yml");
  CHECK(Fetch(Url(*server, "/metrics")).code != CURLE_OK);
}

TEST_CASE("Client certificates: authority and names") {
  const Directory dir;
  const Identity server_id = MakeIdentity("localhost");
  dir.Write("a.crt", server_id.cert);
  dir.Write("a.key", server_id.key);
  Ask known, stranger;
  for (const auto& [ask, name] : {std::pair{&known, "known"}, std::pair{&stranger, "stranger"}}) {
    const Identity id = MakeIdentity(name);
    ask->cert = dir.Write(std::string(name) + ".crt", id.cert);
    ask->key = dir.Write(std::string(name) + ".key", id.key);
  }
  const std::string base = "tls_server_config: {cert_file: a.crt, key_file: a.key, ";
  const auto works = [&](const std::string& rest, const Ask& ask) {
    const auto server = StartTls(dir.Write("web.yml", base + rest + "}\n"));
    return Fetch(Url(*server, "/metrics"), ask).status == 200;
  };
  const std::string verify =
      "client_auth_type: RequireAndVerifyClientCert, client_ca_file: known.crt";
  CHECK(works(verify, known));
  CHECK_FALSE(works(verify, stranger));
  CHECK_FALSE(works(verify, {}));
  CHECK(works("client_auth_type: RequireAnyClientCert", stranger));
  CHECK_FALSE(works("client_auth_type: RequireAnyClientCert", {}));
  CHECK(works("client_auth_type: VerifyClientCertIfGiven, client_ca_file: known.crt", {}));
  CHECK(works(verify + ", client_allowed_sans: [other, known]", known));
  CHECK_FALSE(works(verify + ", client_allowed_sans: [other]", known));
}

TEST_CASE("Versions of TLS") {
  const Directory dir;
  const Identity id = MakeIdentity("localhost");
  dir.Write("a.crt", id.cert);
  dir.Write("a.key", id.key);
  const auto server = StartTls(dir.Write(
      "web.yml", "tls_server_config: {cert_file: a.crt, key_file: a.key, min_version: TLS13}\n"));
  CHECK(Fetch(Url(*server, "/metrics")).status == 200);
  Ask old;
  old.tls_max = CURL_SSLVERSION_MAX_TLSv1_2;
  CHECK(Fetch(Url(*server, "/metrics"), old).code != CURLE_OK);
}

}  // namespace
}  // namespace millrace::http
