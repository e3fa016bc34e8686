// Targets for the probe benchmark: HTTP, TCP and DNS on one epoll thread, HTTPS on a few blocking
// ones. As little work as possible for a probe, so that the prober is what is measured.
//   target CERT KEY HTTP_PORT HTTPS_PORT TCP_PORT DNS_PORT
// HTTP and TCP listen on 127.0.0.1 to 127.0.0.32: with one address the client's 28,000 ports are
// all in TIME_WAIT after two seconds, and the kernel's search for a free one is what is measured.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nConnection: "
    "close\r\n\r\nHello, world\n";

constexpr unsigned kAddresses = 32;

int Socket(int type, const char* port, unsigned address = 0) {
  const int fd = ::socket(AF_INET, type, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + address);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0) {
    std::perror("bind");
    std::exit(1);
  }
  if (type == SOCK_STREAM) ::listen(fd, 4096);
  return fd;
}

void ServeTls(SSL_CTX* context, int listener) {
  std::array<char, 4096> buffer;
  for (;;) {
    const int fd = ::accept(listener, nullptr, nullptr);
    if (fd < 0) continue;
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size())) > 0)
      SSL_write(ssl, kAnswer.data(), static_cast<int>(kAnswer.size()));
    SSL_shutdown(ssl);
    SSL_free(ssl);
    ::close(fd);
  }
}

/// The question with one A record behind it.
void AnswerDns(int fd) {
  std::array<char, 1500> packet;
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const ssize_t n =
      ::recvfrom(fd, packet.data(), 512, 0, reinterpret_cast<sockaddr*>(&peer), &size);
  if (n < 12) return;
  packet[2] = static_cast<char>(0x85);
  packet[3] = static_cast<char>(0x80);
  packet[7] = 1;
  static constexpr unsigned char kRecord[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                              1,    44, 0, 4, 192, 0, 2, 1};
  std::memcpy(packet.data() + n, kRecord, sizeof kRecord);
  ::sendto(fd, packet.data(), static_cast<std::size_t>(n) + sizeof kRecord, 0,
           reinterpret_cast<const sockaddr*>(&peer), size);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1)
    return 1;
  SSL_CTX_set_num_tickets(context, 0);
  const int https = Socket(SOCK_STREAM, argv[4]), dns = Socket(SOCK_DGRAM, argv[6]);
  std::vector<int> listeners;
  for (unsigned i = 0; i < kAddresses; ++i) {
    listeners.push_back(Socket(SOCK_STREAM, argv[3], i));
    listeners.push_back(Socket(SOCK_STREAM, argv[5], i));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(ServeTls, context, https);
  const int epoll = ::epoll_create1(0);
  const auto watch = [epoll](int fd) {
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.fd = fd;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
  };
  for (const int fd : listeners) watch(fd);
  watch(dns);
  std::puts("ready");
  std::fflush(stdout);
  std::array<epoll_event, 64> events;
  std::array<char, 4096> buffer;
  for (;;) {
    const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == dns) {
        AnswerDns(fd);
      } else if (std::find(listeners.begin(), listeners.end(), fd) != listeners.end()) {
        const int peer = ::accept(fd, nullptr, nullptr);
        if (peer >= 0) watch(peer);
      } else {
        if (::recv(fd, buffer.data(), buffer.size(), 0) > 0)
          ::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
        ::close(fd);
      }
    }
  }
}
