#include "common/http/connection.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <exception>

#include "common/base/strings.h"
#include "common/http/web_config.h"
#include "common/log/log.h"

namespace millrace::http {

namespace {

using Io = Transport::Io;

constexpr std::size_t kReadBytes = 16384;
/// A reused buffer that grew beyond this is given back.
constexpr std::size_t kKeepBytes = 16384;
constexpr std::size_t kHttp2OutputBytes = 65536;
constexpr std::size_t kLingerBytes = std::size_t{8} << 20;
constexpr std::chrono::milliseconds kLingerTime{1000};

/// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", made once a second by each thread.
std::string_view DateLine() {
  thread_local std::time_t made_for = -1;
  thread_local char text[48];
  thread_local std::size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made_for) {
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm t{};
    gmtime_r(&now, &t);
    const int n = std::snprintf(text, sizeof text, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                                kDays[t.tm_wday], t.tm_mday, kMonths[t.tm_mon], t.tm_year + 1900,
                                t.tm_hour, t.tm_min, t.tm_sec);
    size = n > 0 ? std::min(static_cast<std::size_t>(n), sizeof text - 1) : 0;
    made_for = now;
  }
  return {text, size};
}

/// "scheme://host/path" -> "/path".
std::string_view WithoutAuthority(std::string_view target) {
  if (target.starts_with('/')) return target;
  const auto scheme = target.find("://");
  if (scheme == std::string_view::npos) return target;
  const auto slash = target.find_first_of("/?", scheme + 3);
  return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
}

}  // namespace

Connection::Connection(Fd fd, std::string remote, bool tls, WebGate& gate,
                       const ServerOptions& options, ServerStats& stats)
    : io_(std::move(fd)),
      remote_(std::move(remote)),
      gate_(gate),
      options_(options),
      stats_(stats) {
  if (tls) {
    state_ = State::kHandshake;
    Wait(options_.head_timeout);
  } else {
    EnterHead();
  }
}

void Connection::Wait(std::chrono::milliseconds limit) {
  since_ = Clock::now();
  deadline_ = since_ + limit;
}

bool Connection::idle() const {
  return state_ == State::kHead && in_.empty() && (!http2_ || http2_->Idle());
}

void Connection::EnterHead() {
  state_ = State::kHead;
  scanned_ = 0;
  Wait(in_.empty() ? options_.idle_timeout : options_.head_timeout);
}

Connection::Next Connection::OnReadable() {
  switch (state_) {
    case State::kHandshake:
      return Handshake();
    case State::kHead:
    case State::kBody:
      return ReadMore();
    case State::kLinger:
      return Linger();
    case State::kWriting:
      return Flush();
    default:
      return Next::kClose;
  }
}

Connection::Next Connection::OnWritable() {
  return state_ == State::kWriting ? Flush() : OnReadable();
}

Connection::Next Connection::Handshake() {
  if (!io_.tls()) {
    if (io_.LooksLikePlainHttp()) {
      stats_.bad_requests.fetch_add(1, std::memory_order_relaxed);
      close_after_ = true;
      Write("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
            "");
      return OnAnswered();
    }
    auto context = gate_.TlsContext();
    if (!io_.StartTls(context ? std::move(*context) : gate_.BrokenContext())) return Next::kClose;
  }
  switch (io_.Handshake()) {
    case Io::kWantRead:
      return Next::kRead;
    case Io::kWantWrite:
      return Next::kWrite;
    case Io::kClosed:
      stats_.tls_failures.fetch_add(1, std::memory_order_relaxed);
      return Next::kClose;
    case Io::kDone:
      break;
  }
  EnterHead();
  if (io_.Http2()) {
    http2_ = std::make_unique<Http2Session>(Http2Session::Limits{
        options_.head.head_bytes, options_.max_body_bytes, options_.head.fields});
    return AdvanceHttp2();
  }
  return ReadMore();
}

Connection::Next Connection::ReadMore() {
  char bytes[kReadBytes];
  for (;;) {
    std::size_t got = 0;
    switch (io_.Read(bytes, sizeof bytes, got)) {
      case Io::kWantRead:
        return Next::kRead;
      case Io::kWantWrite:
        return Next::kWrite;
      case Io::kClosed:
        return Next::kClose;
      case Io::kDone:
        break;
    }
    if (http2_) {
      const bool was_idle = http2_->Idle();
      const bool fine = http2_->Feed({bytes, got});
      if (!fine) {
        stats_.bad_requests.fetch_add(1, std::memory_order_relaxed);
        close_after_ = true;
      }
      if (was_idle != http2_->Idle())
        Wait(http2_->Idle() ? options_.idle_timeout : options_.body_timeout);
      const Next next = AdvanceHttp2();
      if (next != Next::kRead) return next;
      continue;
    }
    if (in_.empty()) Wait(options_.head_timeout);
    in_.append(bytes, got);
    const Next next = Advance();
    if (next != Next::kRead) return next;
  }
}

Connection::Next Connection::Advance() {
  if (state_ == State::kBody) return AdvanceBody();
  if (in_.empty()) return Next::kRead;
  const ParseOutcome outcome = ParseHead(in_, options_.head, scanned_, head_);
  if (outcome.state == ParseOutcome::State::kMore) return Next::kRead;
  if (outcome.state == ParseOutcome::State::kBad) return Refuse(outcome);
  parsed_at_ = in_.data();
  if (!head_.chunked && head_.content_length == 0) return Next::kDispatch;
  if (head_.content_length > options_.max_body_bytes)
    return Refuse({ParseOutcome::State::kBad, 413, "Request Entity Too Large"});
  if (head_.expect_continue && in_.size() == head_.size) Write("HTTP/1.1 100 Continue\r\n\r\n", "");
  state_ = State::kBody;
  Wait(options_.body_timeout);
  chunked_ = {};
  body_.clear();
  body_at_ = head_.size;
  return AdvanceBody();
}

Connection::Next Connection::AdvanceBody() {
  if (!head_.chunked)
    return in_.size() - head_.size >= head_.content_length ? Next::kDispatch : Next::kRead;
  std::size_t used = 0;
  const ParseOutcome outcome =
      chunked_.Feed(std::string_view(in_).substr(body_at_), options_.max_body_bytes, body_, used);
  body_at_ += used;
  if (outcome.state == ParseOutcome::State::kBad) return Refuse(outcome);
  return outcome.state == ParseOutcome::State::kDone ? Next::kDispatch : Next::kRead;
}

Connection::Next Connection::AdvanceHttp2() {
  if (http2_->HasRequest() && !close_after_) return Next::kDispatch;
  http2_->TakeOutput(out_, kHttp2OutputBytes);
  if (!out_.empty()) {
    state_ = State::kWriting;
    return Flush();
  }
  return close_after_ || http2_->Finished() ? Next::kClose : Next::kRead;
}

Connection::Next Connection::Refuse(const ParseOutcome& outcome) {
  stats_.bad_requests.fetch_add(1, std::memory_order_relaxed);
  close_after_ = true;
  const std::string line = std::to_string(outcome.status) + " " + outcome.reason;
  Write("HTTP/1.1 " + line +
            "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n",
        line);
  return OnAnswered();
}

void Connection::Write(std::string_view first, std::string_view second) {
  std::size_t sent = 0;
  if (out_.empty()) {
    const Io io = io_.Write(first, second, sent);
    if (io == Io::kDone) return;
    if (io == Io::kClosed) {
      broken_ = true;
      return;
    }
  }
  const std::size_t of_first = std::min(sent, first.size());
  out_.append(first.substr(of_first)).append(second.substr(sent - of_first));
}

Connection::Next Connection::OnAnswered() {
  if (broken_) return Next::kClose;
  state_ = State::kWriting;
  Wait(options_.write_timeout);
  return Flush();
}

Connection::Next Connection::Flush() {
  while (out_at_ < out_.size()) {
    std::size_t sent = 0;
    const Io io = io_.Write(std::string_view(out_).substr(out_at_), {}, sent);
    out_at_ += sent;
    if (io == Io::kClosed) return Next::kClose;
    if (io == Io::kWantWrite) return Next::kWrite;
    if (io == Io::kWantRead) return Next::kRead;
  }
  out_.clear();
  out_at_ = 0;
  if (out_.capacity() > kKeepBytes) out_.shrink_to_fit();
  return AfterWrite();
}

Connection::Next Connection::AfterWrite() {
  if (http2_) {
    const auto since = since_, deadline = deadline_;
    EnterHead();
    if (!http2_->Idle()) {  // the client has as long as it had before
      since_ = since;
      deadline_ = deadline;
    }
    return AdvanceHttp2() == Next::kDispatch ? Next::kDispatch
           : state_ == State::kHead          ? ReadMore()
           : state_ == State::kWriting       ? Next::kWrite
                                             : Next::kClose;
  }
  if (close_after_) {
    io_.ShutdownWrite();
    state_ = State::kLinger;
    Wait(kLingerTime);
    return Linger();
  }
  const std::size_t used =
      head_.chunked ? body_at_ : head_.size + static_cast<std::size_t>(head_.content_length);
  in_.erase(0, used);
  body_.clear();
  if (in_.capacity() > kKeepBytes) in_.shrink_to_fit();
  if (body_.capacity() > kKeepBytes) body_.shrink_to_fit();
  EnterHead();
  const Next next = Advance();  // a pipelined request may wait
  // TLS may hold bytes that epoll does not know of.
  return next == Next::kRead ? ReadMore() : next;
}

Connection::Next Connection::Linger() {
  // Closing with unread bytes would send a reset, and the client might lose our answer.
  char bytes[kReadBytes];
  while (lingered_ < kLingerBytes) {
    std::size_t got = 0;
    switch (io_.Read(bytes, sizeof bytes, got)) {
      case Io::kDone:
        lingered_ += got;
        break;
      case Io::kWantRead:
        return Next::kRead;
      default:
        return Next::kClose;
    }
  }
  return Next::kClose;
}

void Connection::OnTimeout() {
  auto& counter = state_ == State::kBody      ? stats_.body_timeouts
                  : state_ == State::kWriting ? stats_.write_timeouts
                                              : stats_.head_timeouts;
  if (!idle() && state_ != State::kLinger) counter.fetch_add(1, std::memory_order_relaxed);
}

Connection::Next Connection::OnStop() {
  if (state_ == State::kWriting) {
    close_after_ = true;
    return Next::kWrite;
  }
  return Next::kClose;
}

void Connection::Dispatch(const Answering& with, Request& request, std::string_view target,
                          Response& r) {
  r.Reset();
  ++requests_;
  with.stats.requests.fetch_add(1, std::memory_order_relaxed);
  request.remote = remote_;
  request.tls = io_.tls();
  if (request.method == "OPTIONS" && target == "*") return;
  const std::string_view local = WithoutAuthority(target);
  const auto question = local.find('?');
  std::string path;
  const bool decoded = PercentDecode(local.substr(0, question), false, path);
  if (question != std::string_view::npos) request.query = local.substr(question + 1);
  request.path = path;
  try {
    if (!with.gate.Admit(request, r)) return;
    if (!decoded || path.find('\0') != std::string::npos) return r.Error(400, StatusText(400));
    with.routes.Serve(request, r);
  } catch (const std::exception& e) {
    // Only memory that ran out gets here; the other requests must live on.
    log::Error("A request handler failed", {{"path", path}, {"error", e.what()}});
    r.Reset();
    r.Error(500, StatusText(500));
  }
}

void Connection::Answer(const Answering& with, Response& scratch) {
  if (!http2_) return AnswerHttp1(with, scratch);
  const Http2Session::Incoming incoming = http2_->Front();
  Request request;
  request.method = incoming.method;
  request.body = incoming.body;
  request.fields = incoming.fields;
  if (incoming.status != 0) {
    scratch.Reset();
    scratch.Error(incoming.status, StatusText(incoming.status));
  } else {
    Dispatch(with, request, incoming.target, scratch);
  }
  http2_->Respond(scratch);
  scratch.hold.reset();
  if (requests_ >= options_.max_requests_per_connection) http2_->GoAway();
  http2_->TakeOutput(out_, kHttp2OutputBytes);
}

void Connection::AnswerHttp1(const Answering& with, Response& r) {
  if (in_.data() != parsed_at_) {  // the body's arrival moved the head
    std::size_t scanned = 0;
    if (ParseHead(in_, options_.head, scanned, head_).state != ParseOutcome::State::kDone) {
      broken_ = true;
      return;
    }
    parsed_at_ = in_.data();
  }
  Request request;
  request.method = head_.method;
  request.body = head_.chunked ? std::string_view(body_)
                               : std::string_view(in_).substr(
                                     head_.size, static_cast<std::size_t>(head_.content_length));
  request.fields = &head_.fields;
  Dispatch(with, request, head_.target, r);

  close_after_ = !head_.keep_alive || requests_ >= options_.max_requests_per_connection;
  const std::string_view content = r.content();
  thread_local std::string lines;
  lines.assign(head_.minor_version == 0 ? "HTTP/1.0 " : "HTTP/1.1 ");
  lines.append(std::to_string(r.status)).append(" ").append(StatusText(r.status)).append("\r\n");
  lines.append(r.header_lines()).append(DateLine());
  if (r.status != 204 && r.status != 304)
    lines.append("Content-Length: ").append(std::to_string(content.size())).append("\r\n");
  if (close_after_ && head_.minor_version >= 1) lines += "Connection: close\r\n";
  if (!close_after_ && head_.minor_version == 0) lines += "Connection: keep-alive\r\n";
  lines += "\r\n";
  Write(lines, head_.method == "HEAD" ? std::string_view() : content);
  r.hold.reset();
}

}  // namespace millrace::http
