#pragma once
// A non-blocking connected socket, with or without TLS.
#include <cstddef>
#include <memory>
#include <string_view>

#include "common/base/fd.h"

namespace millrace::http {

class Transport {
 public:
  enum class Io : unsigned char { kDone, kWantRead, kWantWrite, kClosed };

  explicit Transport(Fd fd) : fd_(std::move(fd)) {}
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool tls() const { return ssl_ != nullptr; }

  /// True when the first byte that waits is a letter: plain HTTP on a TLS port. False also when
  /// nothing waits.
  [[nodiscard]] bool LooksLikePlainHttp() const;
  /// Begins TLS; `context` is an SSL_CTX*.
  [[nodiscard]] bool StartTls(std::shared_ptr<void> context);
  [[nodiscard]] Io Handshake();
  /// ALPN chose "h2".
  [[nodiscard]] bool Http2() const;

  /// kDone: `got` bytes were read.
  [[nodiscard]] Io Read(char* to, std::size_t room, std::size_t& got);
  /// Writes what fits of both pieces; `sent` counts over both. kDone: all of it.
  [[nodiscard]] Io Write(std::string_view first, std::string_view second, std::size_t& sent);
  /// No more bytes from us; the client may still send.
  void ShutdownWrite();

 private:
  [[nodiscard]] Io TlsWrite(std::string_view bytes, std::size_t& sent);
  struct Free {
    void operator()(void* ssl) const;
  };
  Fd fd_;
  std::shared_ptr<void> context_;
  std::unique_ptr<void, Free> ssl_;
};

}  // namespace millrace::http
