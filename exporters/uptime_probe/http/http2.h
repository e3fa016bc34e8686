#pragma once
// One request over one HTTP/2 connection (nghttp2), for the http and grpc probers.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "exporters/uptime_probe/http/headers.h"
#include "exporters/uptime_probe/io/stream.h"

namespace millrace::uptime_probe::web {

/// Not thread safe.
class Http2Exchange {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  explicit Http2Exchange(std::unique_ptr<Stream> stream);
  ~Http2Exchange();
  Http2Exchange(const Http2Exchange&) = delete;
  Http2Exchange& operator=(const Http2Exchange&) = delete;

  /// `fields` begin with the pseudo headers; names are lower case.
  [[nodiscard]] Status Send(const Fields& fields, std::string body);
  /// Waits for the final head (1xx are skipped).
  [[nodiscard]] Status WaitHead();
  [[nodiscard]] int status() const;
  [[nodiscard]] const Headers& headers() const;
  /// Complete once Read answered 0.
  [[nodiscard]] const Headers& trailers() const;
  /// The head was all of the answer.
  [[nodiscard]] bool ended() const;
  [[nodiscard]] Clock::time_point first_byte() const;
  [[nodiscard]] Result<std::size_t> Read(char* buffer, std::size_t size);

 private:
  struct State;
  Status Flush();
  Status Receive();
  std::unique_ptr<State> state_;
};

}  // namespace millrace::uptime_probe::web
