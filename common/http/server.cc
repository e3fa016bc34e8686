#include "common/http/server.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/http/connection.h"
#include "common/http/listen.h"
#include "common/http/web_config.h"
#include "common/http/worker_pool.h"
#include "common/log/log.h"

namespace millrace::http {

namespace {
/// Deadlines are looked at this often; they are seconds long.
constexpr std::chrono::milliseconds kTick{200};
constexpr std::size_t kKeepBodyBytes = std::size_t{1} << 20;
}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Routes routes)
      : options_(std::move(options)),
        routes_(std::move(routes)),
        workers_(options_.max_workers, options_.worker_idle, [this](Connection* c) { Work(c); }) {}

  ~Impl() {
    if (loop_.joinable()) {
      stopping_.store(true);
      Wake();
      loop_.join();
    }
    workers_.Stop();
  }

  Status Open();
  void Run();

  std::vector<std::string> addresses_;
  std::uint16_t port_ = 0;
  ServerStats stats_;

 private:
  using Next = Connection::Next;
  using State = Connection::State;

  void Loop();
  void Accept(const Listener& listener);
  void Add(Fd fd, const sockaddr_storage& from);
  bool MakeRoom();
  void Apply(Connection& c, Next next);
  void Arm(Connection& c, std::uint32_t events);
  void Close(Connection& c);
  void Tick();
  void TakeAnswered();
  void Work(Connection* c);
  void Wake();
  void PauseAccept(bool pause);

  const ServerOptions options_;
  const Routes routes_;
  std::unique_ptr<WebGate> gate_;
  std::vector<Listener> listeners_;
  Fd epoll_, wake_;
  std::atomic<bool> stopping_{false};
  bool accept_paused_ = false;

  std::vector<std::unique_ptr<Connection>> connections_;
  /// Closed in this turn of the loop: an event of the same turn may still name them.
  std::vector<std::unique_ptr<Connection>> closed_;
  std::size_t handling_ = 0;

  std::mutex answered_mu_;
  std::vector<Connection*> answered_;

  std::thread loop_;
  WorkerPool<Connection*> workers_;
};

Status Server::Impl::Open() {
  MILLRACE_ASSIGN(gate_, WebGate::Make(options_.web_config_file));
  if (options_.systemd_socket) {
    log::Info("Listening on systemd activated listeners instead of port listeners");
    MILLRACE_ASSIGN(listeners_, SystemdListeners());
  } else {
    for (const std::string& address : options_.listen_addresses) {
      MILLRACE_ASSIGN(Listener l, Listen(address));
      listeners_.push_back(std::move(l));
    }
  }
  if (listeners_.empty()) return Fail(ErrorCode::kInvalidArgument, "no address to listen on");
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return FailErrno("epoll_create1", errno);
  wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return FailErrno("eventfd", errno);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = this;  // stands for the wake-up
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0)
    return FailErrno("epoll_ctl", errno);
  for (Listener& l : listeners_) {
    event.data.ptr = &l;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, l.fd.get(), &event) != 0)
      return FailErrno("epoll_ctl", errno);
    addresses_.push_back(l.address);
    if (port_ == 0) port_ = l.port;
    log::Info("Listening on", {{"address", l.address}});
    log::Info(gate_->tls() ? "TLS is enabled." : "TLS is disabled.",
              {{"http2", gate_->http2()}, {"address", l.address}});
  }
  return {};
}

void Server::Impl::Run() {
  loop_ = std::thread([this] { Loop(); });
}

void Server::Impl::Loop() {
  epoll_event events[64];
  Clock::time_point next_tick = Clock::now() + kTick;
  Clock::time_point stop_at = Clock::time_point::max();
  for (;;) {
    const bool waiting = !connections_.empty() || accept_paused_ || stopping_.load();
    const int n = epoll_wait(epoll_.get(), events, static_cast<int>(std::size(events)),
                             waiting ? static_cast<int>(kTick.count()) : 5000);
    for (int i = 0; i < n; ++i) {
      void* const what = events[i].data.ptr;
      if (what == this) {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
        continue;
      }
      if (what >= listeners_.data() && what < listeners_.data() + listeners_.size()) {
        if (!stopping_.load()) Accept(*static_cast<const Listener*>(what));
        continue;
      }
      auto& c = *static_cast<Connection*>(what);
      if (c.state() == State::kClosed) continue;
      Apply(c, (events[i].events & EPOLLOUT) != 0 ? c.OnWritable() : c.OnReadable());
    }
    TakeAnswered();
    closed_.clear();
    const auto now = Clock::now();
    if (now >= next_tick) {
      next_tick = now + kTick;
      Tick();
    }
    if (!stopping_.load()) continue;
    if (stop_at == Clock::time_point::max()) {
      stop_at = now + options_.stop_grace;
      listeners_.clear();
      for (std::size_t i = connections_.size(); i-- > 0;)
        if (connections_[i]->state() != State::kHandling)
          Apply(*connections_[i], connections_[i]->OnStop());
    }
    if (connections_.empty() || now >= stop_at) return;
  }
}

void Server::Impl::Accept(const Listener& listener) {
  for (int i = 0; i < 64; ++i) {  // then the others get their turn
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int fd = ::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&from), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Add(Fd(fd), from);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      static log::Limit limit;
      if (limit.Pass()) log::Warn("Cannot accept a connection", {{"error", std::strerror(errno)}});
      MakeRoom();
      PauseAccept(true);  // until the next tick, or the loop would spin
    }
    return;
  }
}

void Server::Impl::Add(Fd fd, const sockaddr_storage& from) {
  if (connections_.size() >= options_.max_connections && !MakeRoom()) {
    stats_.refused.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  stats_.connections.fetch_add(1, std::memory_order_relaxed);
  const int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  auto c = std::make_unique<Connection>(std::move(fd), AddressText(from), gate_->tls(), *gate_,
                                        options_, stats_);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.ptr = c.get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, c->fd(), &event) != 0) return;
  c->index = connections_.size();
  connections_.push_back(std::move(c));
}

bool Server::Impl::MakeRoom() {
  Connection* oldest = nullptr;
  for (const auto& c : connections_) {
    if (c->state() == State::kHandling) continue;
    // An idle one rather than one in the middle of a request.
    const auto rank = [](const Connection& x) { return std::pair(!x.idle(), x.since()); };
    if (oldest == nullptr || rank(*c) < rank(*oldest)) oldest = c.get();
  }
  if (oldest == nullptr) return false;
  stats_.evicted.fetch_add(1, std::memory_order_relaxed);
  Close(*oldest);
  return true;
}

void Server::Impl::Apply(Connection& c, Next next) {
  switch (next) {
    case Next::kRead:
      return Arm(c, EPOLLIN);
    case Next::kWrite:
      return Arm(c, EPOLLOUT);
    case Next::kClose:
      return Close(c);
    case Next::kDispatch:
      c.set_state(State::kHandling);
      ++handling_;
      return workers_.Post(&c);
  }
}

void Server::Impl::Arm(Connection& c, std::uint32_t events) {
  epoll_event event{};
  event.events = events | EPOLLONESHOT;
  event.data.ptr = &c;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, c.fd(), &event) != 0) Close(c);
}

void Server::Impl::Close(Connection& c) {
  const std::size_t at = c.index;
  c.set_state(State::kClosed);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, c.fd(), nullptr);
  std::swap(connections_[at], connections_.back());
  connections_[at]->index = at;
  closed_.push_back(std::move(connections_.back()));
  connections_.pop_back();
}

void Server::Impl::Tick() {
  const auto now = Clock::now();
  for (std::size_t i = connections_.size(); i-- > 0;) {
    Connection& c = *connections_[i];
    if (c.state() == State::kHandling || c.deadline() > now) continue;
    c.OnTimeout();
    Close(c);
  }
  closed_.clear();
  if (accept_paused_) PauseAccept(false);
  workers_.Reap();
}

void Server::Impl::PauseAccept(bool pause) {
  accept_paused_ = pause;
  for (Listener& l : listeners_) {
    epoll_event event{};
    event.events = pause ? 0U : EPOLLIN;
    event.data.ptr = &l;
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, l.fd.get(), &event);
  }
}

void Server::Impl::TakeAnswered() {
  std::vector<Connection*> answered;
  {
    const std::lock_guard lock(answered_mu_);
    if (answered_.empty()) return;
    answered.swap(answered_);
  }
  for (Connection* c : answered) {
    --handling_;
    Next next = c->OnAnswered();
    if (stopping_.load() && next != Next::kClose) next = c->OnStop();
    Apply(*c, next);
  }
}

void Server::Impl::Work(Connection* c) {
  // Each worker keeps one answer, so that its buffer is reused.
  thread_local Response response;
  c->Answer(Answering{options_, routes_, *gate_, stats_}, response);
  if (response.body.capacity() > kKeepBodyBytes) response.body = std::string();
  bool first = false;
  {
    const std::lock_guard lock(answered_mu_);
    first = answered_.empty();
    answered_.push_back(c);
  }
  if (first) Wake();
}

void Server::Impl::Wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
}

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Routes routes) {
  // OpenSSL writes without MSG_NOSIGNAL; a client that goes away must not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  auto impl = std::make_unique<Impl>(std::move(options), std::move(routes));
  MILLRACE_TRY(impl->Open());
  impl->Run();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;
const std::vector<std::string>& Server::addresses() const { return impl_->addresses_; }
std::uint16_t Server::port() const { return impl_->port_; }
const ServerStats& Server::stats() const { return impl_->stats_; }

}  // namespace millrace::http
