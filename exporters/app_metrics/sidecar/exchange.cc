#include "exporters/app_metrics/sidecar/exchange.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/base/strings.h"
#include "common/http/server.h"

namespace millrace::app_metrics::sidecar {
namespace {

// Less than a buffer, so that a head that is too long is seen to be.
constexpr http::ParseLimits kHeadLimits{std::size_t{32} << 10, 200};

bool MayRepeat(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

void AddField(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

Exchange::Exchange(LoopServices& loop, Fd client, std::string peer)
    : loop_(loop), client_(std::move(client)), peer_(std::move(peer)) {
  Deadline(loop_.options().head_timeout);
  UpdateInterest();
}

Exchange::~Exchange() { Close(); }

void Exchange::OnEvent(bool of_backend, std::uint32_t events) {
  if (closed()) return;
  if (of_backend) {
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !connecting_)
      ReadFrom(backend_, backend_in_, backend_eof_);
    if (connecting_ && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(backend_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        ++loop_.stats().backend_connect_errors;
        DropBackend();
        Answer(502, "the backend refused the connection\n");
        return UpdateInterest();
      }
      connecting_ = false;
      Deadline(loop_.options().response_timeout);
    }
  } else {
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) return Close();
    if ((events & EPOLLIN) != 0) ReadFrom(client_, client_in_, client_eof_);
  }
  Step();
  UpdateInterest();
}

void Exchange::ReadFrom(const Fd& fd, std::string& into, bool& eof) {
  const std::size_t limit = loop_.options().buffer_bytes;
  while (into.size() < limit && !eof) {
    const std::size_t before = into.size();
    into.resize(std::min(limit, before + 16384));
    const ssize_t n = ::recv(fd.get(), into.data() + before, into.size() - before, 0);
    into.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) eof = true;
    if (static_cast<std::size_t>(std::max<ssize_t>(n, 0)) < 16384) return;
  }
}

bool Exchange::Flush(const Fd& fd, std::string& from, std::size_t& at) {
  while (at < from.size()) {
    const ssize_t n = ::send(fd.get(), from.data() + at, from.size() - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    at += static_cast<std::size_t>(n);
    // Something moves: neither side has stalled.
    if (phase_ == Phase::kForward)
      Deadline(have_response_ ? loop_.options().stall_timeout : loop_.options().response_timeout);
    if (phase_ == Phase::kTunnel) Deadline(std::chrono::hours(24 * 365));
  }
  from.clear();
  at = 0;
  return true;
}

void Exchange::Step() {
  // A finished exchange may leave the next request in the buffer already.
  for (int turns = 0; turns < 16; ++turns) {
    const Phase before = phase_;
    if (phase_ == Phase::kHead && !StepHead()) break;
    if (phase_ == Phase::kForward) StepForward();
    if (phase_ == Phase::kTunnel) StepTunnel();
    if (phase_ == Phase::kClosing) return StepClosing();
    if (phase_ != Phase::kHead || before == Phase::kClosed) return;
  }
}

void Exchange::BeginClosing() {
  phase_ = Phase::kClosing;
  said_all_ = false;
  Deadline(loop_.options().head_timeout);
}

// Says everything, then waits for the client to hang up: closing while bytes of it are unread would
// reset the connection and take our answer with it.
void Exchange::StepClosing() {
  if (!Flush(client_, client_out_, client_out_at_)) return Close();
  if (client_out_.empty() && !std::exchange(said_all_, true)) ::shutdown(client_.get(), SHUT_WR);
  client_in_.clear();
  if (client_eof_ && said_all_) Close();
}

bool Exchange::StepHead() {
  if (client_in_.empty()) {
    if (client_eof_ || draining_) Close();
    return false;
  }
  http::RequestHead head;
  const http::ParseOutcome outcome = http::ParseHead(client_in_, kHeadLimits, scanned_, head);
  if (outcome.state == http::ParseOutcome::State::kMore) {
    if (client_eof_) Close();
    return false;
  }
  scanned_ = 0;
  if (outcome.state == http::ParseOutcome::State::kBad) {
    ++loop_.stats().bad_requests;
    Answer(outcome.status, std::string(outcome.reason) + "\n");
    return true;
  }
  StartRequest(head);
  return true;
}

void Exchange::StartRequest(const http::RequestHead& head) {
  RequestHead seen;
  seen.method = head.method;
  seen.target = head.target;
  seen.peer = peer_;
  seen.request_id = head.Find("X-Request-ID");
  seen.traceparent = head.Find("traceparent");
  seen.forwarded_for = head.Find("X-Forwarded-For");
  seen.bind_to_thread = false;
  request_.emplace(loop_.metrics(), seen);
  phase_ = Phase::kForward;
  have_response_ = false;
  status_ = 0;
  is_head_ = head.method == "HEAD";
  idempotent_ = MayRepeat(head.method);
  old_client_ = head.minor_version == 0;
  keep_client_ = head.keep_alive && !draining_;
  wants_upgrade_ = HasToken(head.Find("Connection"), "upgrade") && !head.Find("Upgrade").empty();
  request_body_.Reset(head.chunked              ? BodyFollower::Kind::kChunked
                      : head.content_length > 0 ? BodyFollower::Kind::kLength
                                                : BodyFollower::Kind::kNone,
                      head.content_length);
  response_body_.Reset(BodyFollower::Kind::kNone);
  if (head.method == "CONNECT") {
    ++loop_.stats().bad_requests;
    return Answer(501, "this is no forward proxy\n");
  }
  BuildBackendHead(head);
  client_in_.erase(0, head.size);
  backend_in_.clear();
  Connect(/*must_be_fresh=*/false);
}

void Exchange::BuildBackendHead(const http::RequestHead& head) {
  backend_out_.clear();
  backend_out_at_ = 0;
  const std::string_view connection = head.Find("Connection");
  backend_out_.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  bool has_host = false;
  for (const http::HeaderField& f : head.fields) {
    if (IsHopByHop(f.name, connection) || EqualsIgnoreCase(f.name, "X-Request-ID") ||
        EqualsIgnoreCase(f.name, "traceparent") || EqualsIgnoreCase(f.name, "X-Forwarded-For"))
      continue;
    has_host |= EqualsIgnoreCase(f.name, "Host");
    AddField(backend_out_, f.name, f.value);
  }
  if (!has_host) AddField(backend_out_, "Host", loop_.options().backend);
  AddField(backend_out_, "X-Request-ID", request_->context().request_id());
  AddField(backend_out_, "traceparent", request_->context().traceparent());
  std::string chain(head.Find("X-Forwarded-For"));
  if (!chain.empty()) chain += ", ";
  AddField(backend_out_, "X-Forwarded-For", chain + peer_);
  if (head.Find("X-Forwarded-Proto").empty()) AddField(backend_out_, "X-Forwarded-Proto", "http");
  if (wants_upgrade_) {
    AddField(backend_out_, "Connection", "Upgrade");
    AddField(backend_out_, "Upgrade", head.Find("Upgrade"));
  } else {
    AddField(backend_out_, "Connection", "keep-alive");
  }
  backend_out_ += "\r\n";
  head_for_retry_ = backend_out_;
}

void Exchange::Connect(bool must_be_fresh) {
  backend_eof_ = false;
  auto fd = loop_.Backend(must_be_fresh, fresh_);
  if (!fd) {
    ++loop_.stats().backend_connect_errors;
    return Answer(502, "the backend can't be reached\n");
  }
  backend_ = std::move(*fd);
  backend_known_ = false;
  backend_events_ = 0;
  connecting_ = fresh_;
  Deadline(fresh_ ? loop_.options().connect_timeout : loop_.options().response_timeout);
}

void Exchange::StepForward() {
  const std::size_t limit = loop_.options().buffer_bytes;
  if (!request_body_.done()) {
    client_in_.erase(0, request_body_.Feed(client_in_, limit, false, backend_out_));
    if (request_body_.bad()) {
      ++loop_.stats().bad_requests;
      return Answer(400, "bad chunk\n");
    }
    if (client_eof_ && client_in_.empty() && !request_body_.done()) return Close();
  }
  if (backend_ && !connecting_ && !Flush(backend_, backend_out_, backend_out_at_)) {
    // It may have answered before it hung up.
    ReadFrom(backend_, backend_in_, backend_eof_);
    backend_eof_ = true;
    backend_out_.clear();
    backend_out_at_ = 0;
  }
  while (!have_response_ && !backend_in_.empty())
    if (!TakeResponseHead()) break;
  if (phase_ != Phase::kForward) return;
  if (have_response_ && !response_body_.done()) {
    const bool unchunk = old_client_ && response_body_.kind() == BodyFollower::Kind::kChunked;
    backend_in_.erase(0, response_body_.Feed(backend_in_, limit, unchunk, client_out_));
    if (response_body_.bad()) {
      ++loop_.stats().backend_bad_responses;
      return Close();
    }
  }
  if (!Flush(client_, client_out_, client_out_at_)) return Close();
  if (have_response_ && response_body_.done()) {
    if (client_out_.empty()) FinishExchange();
    return;
  }
  if (backend_eof_ && backend_in_.empty()) BackendGone();
}

// False: wait for more bytes, or the exchange took another way.
bool Exchange::TakeResponseHead() {
  ResponseHead head;
  const HeadState state = ParseResponseHead(backend_in_, head);
  if (state == HeadState::kMore) return false;
  if (state == HeadState::kBad) {
    ++loop_.stats().backend_bad_responses;
    DropBackend();
    Answer(502, "the backend's response is not HTTP\n");
    return false;
  }
  head_for_retry_.clear();
  Deadline(loop_.options().stall_timeout);
  if (head.status == 101 && wants_upgrade_) {
    BuildClientHead(head);
    backend_in_.erase(0, head.size);
    StartTunnel();
    return false;
  }
  if (head.status < 200) {
    // 100 and 103 go to clients that can have them.
    if (!old_client_) client_out_.append(backend_in_, 0, head.size);
    backend_in_.erase(0, head.size);
    return head.status != 101;
  }
  const bool no_body = is_head_ || head.status == 204 || head.status == 304;
  using Kind = BodyFollower::Kind;
  response_body_.Reset(no_body               ? Kind::kNone
                       : head.chunked        ? Kind::kChunked
                       : head.content_length ? Kind::kLength
                                             : Kind::kUntilClose,
                       head.content_length.value_or(0));
  keep_backend_ = !head.close && response_body_.kind() != Kind::kUntilClose;
  if (response_body_.kind() == Kind::kUntilClose ||
      (old_client_ && response_body_.kind() == Kind::kChunked))
    keep_client_ = false;
  // An answer before the end of the request's body: the rest has nowhere to go.
  if (!request_body_.done()) keep_client_ = keep_backend_ = false;
  BuildClientHead(head);
  backend_in_.erase(0, head.size);
  have_response_ = true;
  status_ = head.status;
  return false;
}

void Exchange::BuildClientHead(const ResponseHead& head) {
  std::string_view connection;
  for (const http::HeaderField& f : head.fields)
    if (EqualsIgnoreCase(f.name, "Connection")) connection = f.value;
  client_out_.append("HTTP/1.1 ").append(std::to_string(head.status)).append(" ");
  client_out_.append(head.reason).append("\r\n");
  for (const http::HeaderField& f : head.fields) {
    const bool framing = EqualsIgnoreCase(f.name, "Transfer-Encoding");
    if (framing && old_client_) continue;
    if (head.chunked && EqualsIgnoreCase(f.name, "Content-Length")) continue;
    if (IsHopByHop(f.name, connection) || EqualsIgnoreCase(f.name, "X-Request-ID")) continue;
    AddField(client_out_, f.name, f.value);
  }
  AddField(client_out_, "X-Request-ID", request_->context().request_id());
  if (head.status == 101) {
    for (const http::HeaderField& f : head.fields)
      if (EqualsIgnoreCase(f.name, "Upgrade")) AddField(client_out_, "Upgrade", f.value);
    AddField(client_out_, "Connection", "Upgrade");
  } else if (!keep_client_) {
    AddField(client_out_, "Connection", "close");
  } else if (old_client_) {
    AddField(client_out_, "Connection", "keep-alive");
  }
  client_out_ += "\r\n";
}

void Exchange::FinishExchange() {
  request_->Finish(status_, request_body_.content(), response_body_.content());
  request_.reset();
  if (keep_backend_ && !backend_eof_ && backend_in_.empty() && backend_out_.empty()) {
    loop_.Watch(backend_.get(), 0, this, true, backend_known_);
    --loop_.stats().backend_connections;
    loop_.KeepBackend(std::move(backend_));
  } else {
    DropBackend();
  }
  have_response_ = false;
  if (!keep_client_ || draining_) {
    BeginClosing();
    return StepClosing();
  }
  phase_ = Phase::kHead;
  Deadline(loop_.options().idle_timeout);
}

// The backend hung up before the end of its response.
void Exchange::BackendGone() {
  if (have_response_) {
    if (response_body_.kind() == BodyFollower::Kind::kUntilClose) {
      // That is its end.
      response_body_.Reset(BodyFollower::Kind::kNone);
      keep_client_ = keep_backend_ = false;
      if (client_out_.empty()) FinishExchange();
      return;
    }
    ++loop_.stats().backend_bad_responses;
    request_->SetError("the backend hung up in the middle of its response");
    request_->Finish(status_, request_body_.content(), response_body_.content());
    return Close();  // the client must not take half a body for a whole one
  }
  const bool silent = !head_for_retry_.empty();
  DropBackend();
  // A kept connection may have been closed by the backend just when it was taken.
  if (silent && !fresh_ && idempotent_ && request_body_.content() == 0) {
    ++loop_.stats().backend_retries;
    backend_out_ = head_for_retry_;
    backend_out_at_ = 0;
    return Connect(/*must_be_fresh=*/true);
  }
  ++loop_.stats().backend_bad_responses;
  Answer(502, "the backend hung up without an answer\n");
}

void Exchange::Answer(int status, std::string_view text) {
  if (have_response_) return Close();  // too late for another one
  std::string& out = client_out_;
  out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ");
  out.append(http::StatusText(status)).append("\r\n");
  if (request_) AddField(out, "X-Request-ID", request_->context().request_id());
  AddField(out, "Content-Type", "text/plain");
  AddField(out, "Content-Length", std::to_string(text.size()));
  out.append("Connection: close\r\n\r\n");
  if (!is_head_) out.append(text);
  if (!request_) {
    // Not understood as HTTP: still a request that somebody sent.
    RequestHead seen;
    seen.peer = peer_;
    seen.bind_to_thread = false;
    request_.emplace(loop_.metrics(), seen);
  }
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  request_->SetError(text);
  request_->Finish(status, request_body_.content(), text.size() + 1);
  request_.reset();
  DropBackend();
  BeginClosing();
}

void Exchange::Refuse() {
  ++loop_.stats().refused;
  Answer(503, "too many connections\n");
  Step();
  UpdateInterest();
}

void Exchange::Drain() {
  draining_ = true;
  keep_client_ = false;
  if (phase_ == Phase::kHead && client_in_.empty()) Close();
}

void Exchange::StartTunnel() {
  phase_ = Phase::kTunnel;
  // The handshake is the request; how long people stay is not its latency.
  request_->Finish(101, 0, 0);
  request_.reset();
  ++loop_.stats().upgraded;
  Deadline(std::chrono::hours(24 * 365));
  StepTunnel();
}

void Exchange::StepTunnel() {
  const std::size_t limit = loop_.options().buffer_bytes;
  const auto move = [&](std::string& from, std::string& to) {
    const std::size_t n = std::min(from.size(), limit - std::min(limit, to.size()));
    to.append(from, 0, n);
    from.erase(0, n);
  };
  move(client_in_, backend_out_);
  move(backend_in_, client_out_);
  if (!Flush(backend_, backend_out_, backend_out_at_) ||
      !Flush(client_, client_out_, client_out_at_))
    return Close();
  const bool up_done = client_eof_ && client_in_.empty() && backend_out_.empty();
  const bool down_done = backend_eof_ && backend_in_.empty() && client_out_.empty();
  if (up_done && down_done) return Close();
  // One side is through: the other end is told so, and may still finish its sentence.
  if (up_done) ::shutdown(backend_.get(), SHUT_WR);
  if (down_done) ::shutdown(client_.get(), SHUT_WR);
  if (up_done || down_done) Deadline(loop_.options().stall_timeout);
}

void Exchange::DropBackend() {
  if (!backend_) return;
  --loop_.stats().backend_connections;
  loop_.Watch(backend_.get(), 0, this, true, backend_known_);
  backend_.Reset();
  backend_known_ = false;
  backend_in_.clear();
  connecting_ = false;
}

void Exchange::Close() {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kTunnel) --loop_.stats().upgraded;
  if (request_ && !request_->finished()) {
    request_->SetError(have_response_ ? "the client left during the response"
                                      : "the client left before the response");
    request_->Finish(499, request_body_.content(), response_body_.content());
  }
  request_.reset();
  DropBackend();
  loop_.Watch(client_.get(), 0, this, false, client_known_);
  client_.Reset();
  phase_ = Phase::kClosed;
}

void Exchange::CheckDeadline(Clock::time_point now) {
  if (closed() || now < deadline_) return;
  if (phase_ == Phase::kForward && !have_response_) {
    ++loop_.stats().backend_timeouts;
    DropBackend();
    Answer(504, "the backend did not answer in time\n");
    Step();
    return UpdateInterest();
  }
  if (phase_ != Phase::kHead || !client_in_.empty()) ++loop_.stats().client_timeouts;
  Close();
}

void Exchange::UpdateInterest() {
  if (closed()) return;
  const std::size_t limit = loop_.options().buffer_bytes;
  const bool tunnel = phase_ == Phase::kTunnel;
  std::uint32_t client = 0, backend = 0;
  // Even when nothing is wanted of the client, its vanishing is reported.
  const bool wants_client = phase_ == Phase::kHead || phase_ == Phase::kClosing || tunnel ||
                            (phase_ == Phase::kForward && !request_body_.done());
  if (wants_client && !client_eof_ && client_in_.size() < limit && backend_out_.size() < limit)
    client |= EPOLLIN;
  if (!client_out_.empty()) client |= EPOLLOUT;
  if (backend_) {
    if (connecting_ || !backend_out_.empty()) backend |= EPOLLOUT;
    if (!connecting_ && !backend_eof_ && backend_in_.size() < limit && client_out_.size() < limit)
      backend |= EPOLLIN;
    // Not watched at all rather than for nothing: a backend that hung up would be told again and
    // again while the client still reads.
    if (backend != 0 || backend_known_) {
      if (!backend_known_ || backend != backend_events_)
        loop_.Watch(backend_.get(), backend, this, true, backend_known_);
      backend_known_ = backend != 0;
      backend_events_ = backend;
    }
  }
  if (!client_known_ || client != client_events_)
    loop_.Watch(client_.get(), client | EPOLLHUP, this, false, client_known_);
  client_known_ = true;
  client_events_ = client;
}

}  // namespace millrace::app_metrics::sidecar
