#pragma once
// One client connection, and the backend connection that serves its current request.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/http/request_parser.h"
#include "exporters/app_metrics/sidecar/http1.h"
#include "exporters/app_metrics/sidecar/proxy.h"

namespace millrace::app_metrics::sidecar {

using Clock = std::chrono::steady_clock;

/// What an exchange needs from its event loop.
class LoopServices {
 public:
  virtual ~LoopServices() = default;
  /// A connection that was kept, or one that is being made; `fresh` tells which.
  [[nodiscard]] virtual Result<Fd> Backend(bool must_be_fresh, bool& fresh) = 0;
  virtual void KeepBackend(Fd fd) = 0;
  /// Registers, changes or (0) removes what is waited for; `of_backend` comes back in OnEvent.
  virtual void Watch(int fd, std::uint32_t events, class Exchange* owner, bool of_backend,
                     bool known) = 0;
  [[nodiscard]] virtual const ProxyOptions& options() const = 0;
  [[nodiscard]] virtual ProxyStats& stats() = 0;
  [[nodiscard]] virtual AppMetrics& metrics() = 0;
};

class Exchange {
 public:
  Exchange(LoopServices& loop, Fd client, std::string peer);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void OnEvent(bool of_backend, std::uint32_t events);
  void CheckDeadline(Clock::time_point now);
  /// Answers 503 and hangs up: there are too many.
  void Refuse();
  /// No further request on this connection.
  void Drain();
  [[nodiscard]] bool closed() const { return phase_ == Phase::kClosed; }

 private:
  enum class Phase : unsigned char { kHead, kForward, kTunnel, kClosing, kClosed };

  void Step();
  bool StepHead();
  void StartRequest(const http::RequestHead& head);
  void BuildBackendHead(const http::RequestHead& head);
  void Connect(bool must_be_fresh);
  void StepForward();
  bool TakeResponseHead();
  void BuildClientHead(const ResponseHead& head);
  void FinishExchange();
  void BackendGone();
  void Answer(int status, std::string_view text);
  void BeginClosing();
  void StepClosing();
  void StartTunnel();
  void StepTunnel();
  void Close();
  void DropBackend();
  void ReadFrom(const Fd& fd, std::string& into, bool& eof);
  /// False when the connection broke.
  bool Flush(const Fd& fd, std::string& from, std::size_t& at);
  void UpdateInterest();
  void Deadline(std::chrono::milliseconds limit) { deadline_ = Clock::now() + limit; }

  LoopServices& loop_;
  Fd client_, backend_;
  const std::string peer_;
  Phase phase_ = Phase::kHead;
  Clock::time_point deadline_;
  std::string client_in_, client_out_, backend_in_, backend_out_;
  std::size_t client_out_at_ = 0, backend_out_at_ = 0, scanned_ = 0;
  std::uint32_t client_events_ = 0, backend_events_ = 0;
  bool client_known_ = false, backend_known_ = false;
  bool client_eof_ = false, backend_eof_ = false;

  // Of the current request.
  std::optional<Request> request_;
  std::string head_for_retry_;  ///< Until the backend says something.
  BodyFollower request_body_, response_body_;
  bool connecting_ = false, fresh_ = true, keep_client_ = false, keep_backend_ = false;
  bool is_head_ = false, old_client_ = false, wants_upgrade_ = false, have_response_ = false;
  bool draining_ = false, idempotent_ = false, said_all_ = false;
  int status_ = 0;
};

}  // namespace millrace::app_metrics::sidecar
