#pragma once
// Bodies of answers as a chain of readers: framing, decompression, limit.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "exporters/uptime_probe/io/stream.h"

namespace millrace::uptime_probe::web {

class BodyReader {
 public:
  virtual ~BodyReader() = default;
  /// At least one byte, or 0 at the end.
  [[nodiscard]] virtual Result<std::size_t> Read(char* buffer, std::size_t size) = 0;
};

/// A stream with the bytes that were read too far.
class BufferedStream {
 public:
  explicit BufferedStream(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
  [[nodiscard]] Stream& stream() { return *stream_; }
  [[nodiscard]] std::unique_ptr<Stream> Release() { return std::move(stream_); }
  [[nodiscard]] Result<std::size_t> Read(char* buffer, std::size_t size);
  /// A line without its end (LF or CRLF), of at most `limit` bytes. kNotFound when the stream ends
  /// before the first byte.
  [[nodiscard]] Result<std::string> Line(std::size_t limit);
  /// Waits for the first byte.
  [[nodiscard]] Status Peek();

 private:
  Status Fill();
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
  std::size_t at_ = 0;
};

[[nodiscard]] std::unique_ptr<BodyReader> MakeEmptyBody();
/// Exactly `size` bytes; fewer are an error.
[[nodiscard]] std::unique_ptr<BodyReader> MakeSizedBody(BufferedStream& stream, std::uint64_t size);
[[nodiscard]] std::unique_ptr<BodyReader> MakeChunkedBody(BufferedStream& stream);
[[nodiscard]] std::unique_ptr<BodyReader> MakeBodyToEnd(BufferedStream& stream);
/// `algorithm`: gzip, deflate (raw, RFC 1951), br, identity. gzip reads the first piece of the body
/// to check its header; after that refusal `body` goes on behind that piece.
[[nodiscard]] Result<std::unique_ptr<BodyReader>> MakeDecoder(std::string_view algorithm,
                                                              std::unique_ptr<BodyReader>& body);
/// Fails after `limit` bytes.
[[nodiscard]] std::unique_ptr<BodyReader> MakeLimitedBody(std::unique_ptr<BodyReader> body,
                                                          std::int64_t limit);

}  // namespace millrace::uptime_probe::web
