#pragma once
// One client connection: its protocol state, and what is to be read from and written to it. Has no
// thread of its own: the event loop and, while a request is answered, one worker use it in turns.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/http/http2_session.h"
#include "common/http/request_parser.h"
#include "common/http/server.h"
#include "common/http/transport.h"

namespace millrace::http {

class WebGate;
using Clock = std::chrono::steady_clock;

/// What a worker needs to answer requests. Shared by all workers.
struct Answering {
  const ServerOptions& options;
  const Routes& routes;
  WebGate& gate;
  ServerStats& stats;
};

class Connection {
 public:
  enum class State : unsigned char {
    kHandshake,  ///< TLS, or waiting for its first byte.
    kHead,       ///< Idle, or reading a request head (HTTP/2: reading anything).
    kBody,
    kHandling,  ///< A worker has it; nobody else touches it.
    kWriting,
    kLinger,  ///< Said everything; waiting for the client to have read it.
    kClosed,
  };
  /// What the event loop is to do next.
  enum class Next : unsigned char { kRead, kWrite, kDispatch, kClose };

  Connection(Fd fd, std::string remote, bool tls, WebGate& gate, const ServerOptions& options,
             ServerStats& stats);

  /// The socket is readable (or may be: spurious calls are fine).
  [[nodiscard]] Next OnReadable();
  [[nodiscard]] Next OnWritable();
  /// A worker is done with it.
  [[nodiscard]] Next OnAnswered();
  /// Answers the request. Called by a worker in state kHandling.
  void Answer(const Answering& with, Response& scratch);
  /// The time is up: says why in the statistics.
  void OnTimeout();
  /// Server stop: no further requests.
  [[nodiscard]] Next OnStop();

  [[nodiscard]] int fd() const { return io_.fd(); }
  [[nodiscard]] State state() const { return state_; }
  void set_state(State s) { state_ = s; }
  [[nodiscard]] Clock::time_point deadline() const { return deadline_; }
  /// Waits for a new request, or (not `idle`) for its client in the middle of something.
  [[nodiscard]] bool idle() const;
  /// When it last began to wait for its client.
  [[nodiscard]] Clock::time_point since() const { return since_; }
  std::size_t index = 0;  ///< Its place in the event loop's list.

 private:
  [[nodiscard]] Next Handshake();
  [[nodiscard]] Next ReadMore();
  [[nodiscard]] Next Advance();
  [[nodiscard]] Next AdvanceBody();
  [[nodiscard]] Next AdvanceHttp2();
  [[nodiscard]] Next Refuse(const ParseOutcome& outcome);
  [[nodiscard]] Next Flush();
  [[nodiscard]] Next AfterWrite();
  [[nodiscard]] Next Linger();
  void EnterHead();
  void Wait(std::chrono::milliseconds limit);
  void Write(std::string_view first, std::string_view second);
  void AnswerHttp1(const Answering& with, Response& r);
  void Dispatch(const Answering& with, Request& request, std::string_view target, Response& r);

  Transport io_;
  const std::string remote_;
  WebGate& gate_;
  const ServerOptions& options_;
  ServerStats& stats_;

  State state_ = State::kHead;
  Clock::time_point deadline_, since_;
  std::string in_;           ///< Bytes received and not yet answered.
  std::size_t scanned_ = 0;  ///< Of ParseHead.
  RequestHead head_;
  const char* parsed_at_ = nullptr;  ///< in_.data() when head_ was parsed.
  std::size_t body_at_ = 0;          ///< Chunked: raw bytes decoded so far.
  ChunkedDecoder chunked_;
  std::string body_;  ///< Of a chunked request.
  std::size_t requests_ = 0;
  std::unique_ptr<Http2Session> http2_;

  std::string out_;  ///< What the socket did not take.
  std::size_t out_at_ = 0;
  bool broken_ = false;       ///< Writing failed.
  bool close_after_ = false;  ///< Close when everything is written.
  std::size_t lingered_ = 0;
};

}  // namespace millrace::http
