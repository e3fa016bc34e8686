#include "tests/support/fake_http.h"

#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/strings.h"

namespace millrace::test {
namespace {

int Listen(int& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || ::bind(fd, plain, size) != 0 || ::listen(fd, 64) != 0 ||
      ::getsockname(fd, plain, &size) != 0)
    std::abort();
  port = ntohs(address.sin_port);
  return fd;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

std::string FakeRequest::header(const std::string& name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

FakeHttp::FakeHttp(Handler handler) : handler_(std::move(handler)), listen_fd_(Listen(port_)) {
  acceptor_ = std::thread([this] {
    for (;;) {
      const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
      const std::lock_guard lock(mu_);
      if (fd < 0 || stop_) {
        if (fd >= 0) ::close(fd);
        return;
      }
      connections_.emplace_back(std::thread([this, fd] { Serve(fd); }), fd);
    }
  });
}

FakeHttp::~FakeHttp() {
  {
    const std::lock_guard lock(mu_);
    stop_ = true;
    ::shutdown(listen_fd_, SHUT_RDWR);
    for (auto& [thread, fd] : connections_) ::shutdown(fd, SHUT_RDWR);
  }
  acceptor_.join();
  for (auto& [thread, fd] : connections_) {
    thread.join();
    ::close(fd);
  }
  ::close(listen_fd_);
}

void FakeHttp::Serve(int fd) {
  std::string in;
  char chunk[65536];
  const auto more = [&] {
    const ssize_t n = ::recv(fd, chunk, sizeof chunk, 0);
    if (n > 0) in.append(chunk, static_cast<std::size_t>(n));
    return n > 0;
  };
  for (;;) {
    std::size_t end = 0;
    while ((end = in.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return;
    FakeRequest request;
    const std::vector<std::string_view> lines = Split(std::string_view(in).substr(0, end), '\n');
    const std::vector<std::string_view> words = SplitWhitespace(lines[0]);
    if (words.size() < 2) return;
    request.method = words[0];
    request.path = words[1];
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const std::size_t colon = lines[i].find(':');
      if (colon != std::string_view::npos)
        request.headers.emplace_back(ToLower(lines[i].substr(0, colon)),
                                     std::string(Trim(lines[i].substr(colon + 1))));
    }
    const std::size_t length =
        ParseNumber<std::size_t>(request.header("content-length")).value_or(0);
    in.erase(0, end + 4);
    while (in.size() < length)
      if (!more()) return;
    request.body = in.substr(0, length);
    in.erase(0, length);
    ++requests_;
    if (!Reply(fd, handler_(request))) {
      ::shutdown(fd, SHUT_RDWR);
      return;
    }
  }
}

bool FakeHttp::Reply(int fd, const FakeReply& reply) {
  using Fault = FakeReply::Fault;
  const auto wait = [this](int ms) {
    for (int i = 0; i < ms && !stop_; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  if (reply.fault == Fault::kHang) {
    while (!stop_) wait(10);
    return false;
  }
  if (reply.fault == Fault::kClose) return false;
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) +
                     " X\r\nContent-Length: " + std::to_string(reply.body.size()) + "\r\n";
  for (const std::string& h : reply.headers) head += h + "\r\n";
  head += "\r\n";
  // One packet: two would wait for a delayed acknowledgement.
  if (reply.fault == Fault::kNone) return SendAll(fd, head + reply.body);
  if (!SendAll(fd, head)) return false;
  if (reply.fault == Fault::kTruncate) {
    SendAll(fd, std::string_view(reply.body).substr(0, reply.body.size() / 2));
    return false;
  }
  if (reply.fault == Fault::kDrip) {
    for (const char c : reply.body) {
      if (stop_ || !SendAll(fd, {&c, 1})) return false;
      wait(20);
    }
  }
  return true;
}

int ClosedPort() {
  int port = 0;
  ::close(Listen(port));
  return port;
}

}  // namespace millrace::test
