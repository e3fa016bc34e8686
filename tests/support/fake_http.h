#pragma once
// An HTTP/1.1 server that does what a test tells it, also what no real one would: hang, drip, tell
// the wrong length, break off in the middle.
#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace millrace::test {

struct FakeRequest {
  std::string method, path, body;                            ///< `body` as it was sent.
  std::vector<std::pair<std::string, std::string>> headers;  ///< Names in lower case.
  [[nodiscard]] std::string header(const std::string& name) const;
};

struct FakeReply {
  int status = 200;
  std::string body = {};
  std::vector<std::string> headers = {};
  enum class Fault {
    kNone,
    kHang,      ///< No reply until the server is stopped.
    kClose,     ///< The connection ends without a reply.
    kTruncate,  ///< Half of the body, then the end.
    kDrip,      ///< A byte now and then.
  };
  Fault fault = Fault::kNone;
};

/// Listens on a free port of 127.0.0.1. The handler is called on several threads.
class FakeHttp {
 public:
  using Handler = std::function<FakeReply(const FakeRequest&)>;
  explicit FakeHttp(Handler handler);
  ~FakeHttp();
  FakeHttp(const FakeHttp&) = delete;
  FakeHttp& operator=(const FakeHttp&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void Serve(int fd);
  bool Reply(int fd, const FakeReply& reply);

  Handler handler_;
  int port_ = 0;
  int listen_fd_ = -1;  ///< Behind port_, which it sets.
  std::atomic<int> requests_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mu_;
  std::list<std::pair<std::thread, int>> connections_;
  std::thread acceptor_;
};

/// A port of 127.0.0.1 where nobody listens.
[[nodiscard]] int ClosedPort();

}  // namespace millrace::test
