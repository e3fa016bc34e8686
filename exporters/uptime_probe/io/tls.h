#pragma once
// TLS towards targets, and what a certificate says. OpenSSL stays behind this header.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "exporters/uptime_probe/io/stream.h"

struct ssl_ctx_st;
struct ssl_st;

namespace millrace::uptime_probe {

struct TlsConfig;

/// Of a handshake, also of one whose certificate did not verify.
struct TlsInfo {
  bool certificate = false;  ///< The peer sent one; the fields below mean something.
  bool verified = false;     ///< ... and it was verified (not so with insecure_skip_verify).
  std::int64_t earliest_expiry = 0;    ///< Unix time, over the certificates the peer sent.
  std::int64_t last_chain_expiry = 0;  ///< Of the verified chain; Go's zero time without one.
  std::int64_t not_before = 0;         ///< Of the leaf.
  std::string fingerprint_sha256, subject, issuer, dns_names, serial;
  std::string version, cipher;      ///< "TLS 1.3", IANA name.
  std::string alpn;                 ///< What the peer chose, or "".
  std::string_view verify_failure;  ///< certificate_expired, certificate_not_yet_valid,
                                    ///< certificate_untrusted, certificate_name or "".
};

/// The value of an expiry that Go does not know: time.Time{}.Unix().
inline constexpr std::int64_t kGoZeroTime = -62135596800;

/// A client configuration: CA certificates, own certificate, versions. Immutable and shared;
/// contexts are kept and built anew when one of their files changes.
class TlsContext {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> Get(const TlsConfig& config);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  [[nodiscard]] ssl_ctx_st* get() const { return context_; }
  [[nodiscard]] bool verify() const { return verify_; }

 private:
  TlsContext() = default;
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> Make(const TlsConfig& config);
  ssl_ctx_st* context_ = nullptr;
  bool verify_ = true;
};

class TlsStream final : public Stream {
 public:
  /// Shakes hands over `inner`. `server_name` is verified and, unless it is an address, sent.
  /// `alpn` are the protocols to offer. `info` is filled as far as the handshake came, also on
  /// failure.
  [[nodiscard]] static Result<std::unique_ptr<TlsStream>> Connect(
      std::unique_ptr<Stream> inner, const TlsContext& context, const std::string& server_name,
      const std::vector<std::string>& alpn, TlsInfo& info);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  [[nodiscard]] Result<std::size_t> Read(char* buffer, std::size_t size) override;
  [[nodiscard]] Status Write(std::string_view bytes) override;
  [[nodiscard]] int fd() const override { return inner_->fd(); }
  [[nodiscard]] Deadline deadline() const override { return inner_->deadline(); }

 private:
  explicit TlsStream(std::unique_ptr<Stream> inner) : inner_(std::move(inner)) {}
  Status Handshake();
  Status WaitAfter(int result, const char* what);
  std::unique_ptr<Stream> inner_;
  ssl_st* ssl_ = nullptr;
};

}  // namespace millrace::uptime_probe
