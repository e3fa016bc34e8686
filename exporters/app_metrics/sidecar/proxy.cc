#include "exporters/app_metrics/sidecar/proxy.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <thread>

#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/http/listen.h"
#include "exporters/app_metrics/sidecar/exchange.h"

namespace millrace::app_metrics::sidecar {
namespace {

// The lowest bit of an Exchange's address says which of its two sockets an event is of.
constexpr std::uintptr_t kBackendBit = 1;
constexpr std::chrono::seconds kDrain{5};

Result<std::vector<Address>> Resolve(const std::string& target) {
  MILLRACE_ASSIGN(const http::HostPort at, http::SplitHostPort(target));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  const char* host = at.host.empty() ? "127.0.0.1" : at.host.c_str();
  if (const int r = ::getaddrinfo(host, at.port.c_str(), &hints, &raw); r != 0)
    return Fail(ErrorCode::kUnavailable, "resolve " + target + ": " + ::gai_strerror(r));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(raw, &::freeaddrinfo);
  std::vector<Address> out;
  for (const addrinfo* a = list.get(); a != nullptr; a = a->ai_next) {
    Address& address = out.emplace_back();
    std::copy_n(reinterpret_cast<const char*>(a->ai_addr), a->ai_addrlen,
                reinterpret_cast<char*>(&address.storage));
    address.size = a->ai_addrlen;
  }
  return out;
}

std::string PeerIp(const sockaddr_storage& peer, socklen_t size) {
  char host[NI_MAXHOST];
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&peer), size, host, sizeof host, nullptr, 0,
                    NI_NUMERICHOST) != 0)
    return "unknown";
  return host;
}

void NoDelay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

struct Proxy::Shared {
  Shared(ProxyOptions o, AppMetrics& m) : options(std::move(o)), metrics(m) {}
  const ProxyOptions options;
  AppMetrics& metrics;
  ProxyStats stats;
  http::Listener listener;
  std::vector<Address> backend;
  std::atomic<std::size_t> good_address{0};
};

class Proxy::Loop : public LoopServices {
 public:
  explicit Loop(Shared& shared) : shared_(shared) {}
  ~Loop() override {
    const std::uint64_t one = 1;
    if (wake_) static_cast<void>(!::write(wake_.get(), &one, sizeof one));
    if (thread_.joinable()) thread_.join();
  }

  Status Start() {
    epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return FailErrno("epoll_create1", errno);
    wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) return FailErrno("eventfd", errno);
    Add(wake_.get(), EPOLLIN, &wake_);
    // One of the loops wakes for a new connection, not all.
    Add(shared_.listener.fd.get(), EPOLLIN | EPOLLEXCLUSIVE, &shared_);
    thread_ = std::thread([this] { Run(); });
    return {};
  }

  Result<Fd> Backend(bool must_be_fresh, bool& fresh) override {
    fresh = false;
    while (!must_be_fresh && !idle_.empty()) {
      Fd fd = std::move(idle_.back());
      idle_.pop_back();
      char byte = 0;
      // Something to read on an idle connection is its end, or an answer that nobody asked for.
      if (::recv(fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN) {
        ++shared_.stats.backend_connections;
        return fd;
      }
    }
    fresh = true;
    const std::size_t n = shared_.backend.size(), first = shared_.good_address.load();
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t at = (first + i) % n;
      const Address& a = shared_.backend[at];
      Fd fd(::socket(a.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (!fd) continue;
      if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&a.storage), a.size) != 0 &&
          errno != EINPROGRESS)
        continue;
      NoDelay(fd.get());
      ++shared_.stats.backend_connections;
      // A refusal comes later: the next request starts with the address after this one.
      if (i > 0) shared_.good_address = at;
      return fd;
    }
    return FailErrno("connect " + shared_.options.backend, errno);
  }

  void KeepBackend(Fd fd) override {
    if (idle_.size() >= shared_.options.idle_backend_connections) idle_.pop_front();
    idle_.push_back(std::move(fd));
  }

  void Watch(int fd, std::uint32_t events, Exchange* owner, bool of_backend, bool known) override {
    if (events == 0) {
      if (known) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
      return;
    }
    epoll_event e{};
    e.events = events;
    e.data.u64 = reinterpret_cast<std::uintptr_t>(owner) | (of_backend ? kBackendBit : 0);
    ::epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
  }

  const ProxyOptions& options() const override { return shared_.options; }
  ProxyStats& stats() override { return shared_.stats; }
  AppMetrics& metrics() override { return shared_.metrics; }

 private:
  void Add(int fd, std::uint32_t events, void* tag) {
    epoll_event e{};
    e.events = events;
    e.data.ptr = tag;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e);
  }

  void Run() {
    std::array<epoll_event, 256> events;
    Clock::time_point next_sweep = Clock::now() + std::chrono::seconds(1), end{};
    for (;;) {
      const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 draining_ ? 50 : 1000);
      for (int i = 0; i < n; ++i) Dispatch(events[static_cast<std::size_t>(i)]);
      const auto now = Clock::now();
      if (now >= next_sweep) {
        for (const auto& x : exchanges_) x->CheckDeadline(now);
        next_sweep = now + std::chrono::milliseconds(500);
      }
      // Only here: an event of this round may still point to a closed one.
      Bury();
      if (stopping_ && !draining_) {
        draining_ = true;
        end = now + kDrain;
        for (const auto& x : exchanges_) x->Drain();
        Bury();
      }
      if (draining_ && (exchanges_.empty() || now > end)) break;
    }
    exchanges_.clear();
    idle_.clear();
  }

  void Dispatch(const epoll_event& e) {
    if (e.data.ptr == &wake_) {
      stopping_ = true;
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, wake_.get(), nullptr);
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, shared_.listener.fd.get(), nullptr);
      return;
    }
    if (e.data.ptr == &shared_) return Accept();
    auto* owner = reinterpret_cast<Exchange*>(e.data.u64 & ~std::uint64_t{kBackendBit});
    owner->OnEvent((e.data.u64 & kBackendBit) != 0, e.events);
  }

  void Accept() {
    for (int i = 0; i < 64; ++i) {
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      Fd fd(::accept4(shared_.listener.fd.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      NoDelay(fd.get());
      const auto already = shared_.stats.clients.fetch_add(1);
      exchanges_.push_back(std::make_unique<Exchange>(*this, std::move(fd), PeerIp(peer, size)));
      if (already >= static_cast<std::int64_t>(shared_.options.max_connections))
        exchanges_.back()->Refuse();
    }
  }

  void Bury() {
    for (std::size_t i = 0; i < exchanges_.size();) {
      if (!exchanges_[i]->closed()) {
        ++i;
        continue;
      }
      --shared_.stats.clients;
      exchanges_[i] = std::move(exchanges_.back());
      exchanges_.pop_back();
    }
  }

  Shared& shared_;
  Fd epoll_, wake_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::deque<Fd> idle_;
  bool stopping_ = false, draining_ = false;
  std::thread thread_;
};

Proxy::Proxy() = default;
Proxy::~Proxy() { loops_.clear(); }

Result<std::unique_ptr<Proxy>> Proxy::Start(ProxyOptions options, AppMetrics& metrics) {
  std::unique_ptr<Proxy> proxy(new Proxy);
  proxy->shared_ = std::make_unique<Shared>(std::move(options), metrics);
  Shared& shared = *proxy->shared_;
  MILLRACE_ASSIGN(shared.backend, Resolve(shared.options.backend));
  MILLRACE_ASSIGN(shared.listener, http::Listen(shared.options.listen));
  const unsigned threads = std::clamp(shared.options.threads, 1U, 64U);
  for (unsigned i = 0; i < threads; ++i) {
    proxy->loops_.push_back(std::make_unique<Loop>(shared));
    MILLRACE_TRY(proxy->loops_.back()->Start());
  }
  return proxy;
}

std::uint16_t Proxy::port() const { return shared_->listener.port; }
const ProxyStats& Proxy::stats() const { return shared_->stats; }

}  // namespace millrace::app_metrics::sidecar
