#include "common/http/transport.h"

#include <algorithm>
#include <cerrno>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace millrace::http {

namespace {

Transport::Io FromSsl(SSL* ssl, int rc) {
  const int error = SSL_get_error(ssl, rc);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) return Transport::Io::kWantRead;
  if (error == SSL_ERROR_WANT_WRITE) return Transport::Io::kWantWrite;
  return Transport::Io::kClosed;
}

}  // namespace

void Transport::Free::operator()(void* ssl) const { SSL_free(static_cast<SSL*>(ssl)); }

Transport::~Transport() = default;

bool Transport::LooksLikePlainHttp() const {
  char c = 0;
  if (::recv(fd_.get(), &c, 1, MSG_PEEK | MSG_DONTWAIT) != 1) return false;
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool Transport::StartTls(std::shared_ptr<void> context) {
  SSL* ssl = SSL_new(static_cast<SSL_CTX*>(context.get()));
  if (ssl == nullptr) return false;
  context_ = std::move(context);
  ssl_.reset(ssl);
  SSL_set_accept_state(ssl);
  return SSL_set_fd(ssl, fd_.get()) == 1;
}

Transport::Io Transport::Handshake() {
  auto* ssl = static_cast<SSL*>(ssl_.get());
  ERR_clear_error();
  const int rc = SSL_accept(ssl);
  return rc == 1 ? Io::kDone : FromSsl(ssl, rc);
}

bool Transport::Http2() const {
  if (!ssl_) return false;
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(static_cast<const SSL*>(ssl_.get()), &name, &size);
  return size == 2 && name[0] == 'h' && name[1] == '2';
}

Transport::Io Transport::Read(char* to, std::size_t room, std::size_t& got) {
  got = 0;
  if (ssl_) {
    auto* ssl = static_cast<SSL*>(ssl_.get());
    ERR_clear_error();
    const int rc = SSL_read_ex(ssl, to, room, &got);
    return rc == 1 ? Io::kDone : FromSsl(ssl, rc);
  }
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), to, room, 0);
    if (n > 0) {
      got = static_cast<std::size_t>(n);
      return Io::kDone;
    }
    if (n < 0 && errno == EINTR) continue;
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? Io::kWantRead : Io::kClosed;
  }
}

Transport::Io Transport::TlsWrite(std::string_view bytes, std::size_t& sent) {
  auto* ssl = static_cast<SSL*>(ssl_.get());
  while (!bytes.empty()) {
    std::size_t n = 0;
    ERR_clear_error();
    const int rc = SSL_write_ex(ssl, bytes.data(), bytes.size(), &n);
    if (rc != 1) return FromSsl(ssl, rc);
    sent += n;
    bytes.remove_prefix(n);
  }
  return Io::kDone;
}

Transport::Io Transport::Write(std::string_view first, std::string_view second, std::size_t& sent) {
  sent = 0;
  if (ssl_) {
    const Io io = TlsWrite(first, sent);
    return io == Io::kDone ? TlsWrite(second, sent) : io;
  }
  while (!first.empty() || !second.empty()) {
    // sendmsg does not write through them; iovec lacks a const.
    iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                      {const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? Io::kWantWrite : Io::kClosed;
    }
    const auto taken = static_cast<std::size_t>(n);
    sent += taken;
    const std::size_t of_first = std::min(taken, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(taken - of_first);
  }
  return Io::kDone;
}

void Transport::ShutdownWrite() {
  if (ssl_) {
    ERR_clear_error();
    SSL_shutdown(static_cast<SSL*>(ssl_.get()));
    ERR_clear_error();
  }
  ::shutdown(fd_.get(), SHUT_WR);
}

}  // namespace millrace::http
