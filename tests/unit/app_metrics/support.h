#pragma once
// A server on a free port with the middleware attached, and raw HTTP to it.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "millrace/app_metrics/httplib.h"
#include "tests/support/catch.h"

namespace app_metrics_test {

/// Polls until `done` or 60 s have passed.
inline bool Eventually(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return done();
}

class TempDir {
 public:
  TempDir() {
    std::string name = std::filesystem::temp_directory_path() / "millrace-appm-XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::string File(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::string Slurp(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Sends `text` as it is and reads until the server hangs up.
inline std::string Raw(int port, const std::string& text) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string reply;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
    std::size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    char buffer[4096];
    ssize_t n = 0;
    while ((n = ::recv(fd, buffer, sizeof buffer, 0)) > 0)
      reply.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return reply;
}

inline millrace::app_metrics::Options QuietOptions() {
  millrace::app_metrics::Options o;
  o.service = "test";
  o.version = "1.2.3";
  o.access_log.enabled = false;
  return o;
}

/// Add handlers to `server`, then Start.
template <class Server = httplib::Server>
class TestServer {
 public:
  explicit TestServer(millrace::app_metrics::Options options,
                      millrace::app_metrics::HttplibHooks hooks = {})
      : metrics(std::move(options)) {
    metrics.attach(server, std::move(hooks));
  }
  ~TestServer() { Stop(); }
  void Start() {
    server.set_keep_alive_timeout(1);
    port = server.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server.listen_after_bind(); });
    REQUIRE(Eventually([&] { return server.is_running(); }));
  }
  void Stop() {
    if (!thread_.joinable()) return;
    server.stop();
    thread_.join();
  }
  std::string Get(const std::string& path, const std::string& headers = "",
                  const std::string& method = "GET") const {
    return Raw(port, method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
                         headers + "\r\n");
  }
  std::string Page(std::string_view accept = "") { return *metrics.page(accept).body; }
  /// The value of one sample line, or -1.
  double Value(const std::string& series) {
    const std::string page = Page();
    const auto at = page.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
  }
  bool Reaches(const std::string& series, double value) {
    return Eventually([&] { return Value(series) == value; });
  }

  millrace::AppMetrics metrics;
  Server server;
  int port = 0;

 private:
  std::thread thread_;
};

}  // namespace app_metrics_test
