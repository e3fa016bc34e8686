#pragma once
// HTTP/2 (RFC 9113) over nghttp2, as a pure transformation: bytes in, requests out, responses in,
// bytes out. Used by one thread at a time.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/request_parser.h"
#include "common/http/server.h"

struct nghttp2_session;

namespace millrace::http {

class Http2Session {
 public:
  struct Limits {
    std::size_t head_bytes, body_bytes, fields;
    std::uint32_t streams = 32;
  };
  explicit Http2Session(const Limits& limits);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  /// False: the client broke the protocol; send what TakeOutput gives, then close.
  [[nodiscard]] bool Feed(std::string_view bytes);
  /// A complete request waits.
  [[nodiscard]] bool HasRequest() const { return !ready_.empty(); }
  /// Valid until Respond().
  struct Incoming {
    std::string_view method, target, body;
    const std::vector<HeaderField>* fields = nullptr;
    int status = 0;  ///< Not 0: the request broke a limit; answer with this.
  };
  [[nodiscard]] Incoming Front() const;
  /// Answers the request in front and takes it off the queue.
  void Respond(const Response& response);
  /// Appends bytes for the client, until about `limit` bytes are in `out`.
  void TakeOutput(std::string& out, std::size_t limit);
  [[nodiscard]] bool WantsOutput() const;
  /// Both sides are done.
  [[nodiscard]] bool Finished() const;
  /// Streams the client opened and got no complete answer to.
  [[nodiscard]] bool Idle() const { return streams_.empty(); }
  /// Tells the client to open no more streams.
  void GoAway();

  struct Stream;
  struct Callbacks;

 private:
  friend struct Callbacks;
  Limits limits_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::unique_ptr<Stream>> streams_;
  std::deque<std::int32_t> ready_;
};

}  // namespace millrace::http
