#include "exporters/uptime_probe/http/body.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/base/strings.h"

namespace millrace::uptime_probe::web {

Status BufferedStream::Fill() {
  buffer_.resize(16384);
  at_ = 0;
  auto n = stream_->Read(buffer_.data(), buffer_.size());
  buffer_.resize(n ? *n : 0);
  if (!n) return tl::make_unexpected(std::move(n).error());
  return {};
}

Result<std::size_t> BufferedStream::Read(char* buffer, std::size_t size) {
  if (at_ == buffer_.size()) return stream_->Read(buffer, size);
  const std::size_t n = std::min(size, buffer_.size() - at_);
  std::memcpy(buffer, buffer_.data() + at_, n);
  at_ += n;
  return n;
}

Status BufferedStream::Peek() {
  if (at_ == buffer_.size()) MILLRACE_TRY(Fill());
  if (buffer_.empty()) return Fail(ErrorCode::kUnavailable, "EOF");
  return {};
}

Result<std::string> BufferedStream::Line(std::size_t limit) {
  std::string line;
  for (;;) {
    if (at_ == buffer_.size()) {
      MILLRACE_TRY(Fill());
      if (buffer_.empty())
        return Fail(line.empty() ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                    "unexpected EOF");
    }
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    const auto end = rest.find('\n');
    line += rest.substr(0, end);
    at_ += end == std::string_view::npos ? rest.size() : end + 1;
    if (line.size() > limit) return Fail(ErrorCode::kResourceExhausted, "line too long");
    if (end == std::string_view::npos) continue;
    if (line.ends_with('\r')) line.pop_back();
    return line;
  }
}

namespace {

class EmptyBody final : public BodyReader {
 public:
  Result<std::size_t> Read(char* /*buffer*/, std::size_t /*size*/) override {
    return std::size_t{0};
  }
};

class SizedBody final : public BodyReader {
 public:
  SizedBody(BufferedStream& stream, std::uint64_t size) : stream_(stream), left_(size) {}
  Result<std::size_t> Read(char* buffer, std::size_t size) override {
    if (left_ == 0) return std::size_t{0};
    MILLRACE_ASSIGN(const std::size_t n,
                    stream_.Read(buffer, std::min<std::uint64_t>(size, left_)));
    if (n == 0) return Fail(ErrorCode::kUnavailable, "unexpected EOF");
    left_ -= n;
    return n;
  }

 private:
  BufferedStream& stream_;
  std::uint64_t left_;
};

class ChunkedBody final : public BodyReader {
 public:
  explicit ChunkedBody(BufferedStream& stream) : stream_(stream) {}
  Result<std::size_t> Read(char* buffer, std::size_t size) override {
    if (failed_) return Fail(ErrorCode::kParse, "malformed chunked encoding");
    if (done_) return std::size_t{0};
    if (left_ == 0) {
      auto next = NextChunk();
      if (!next) {
        failed_ = true;
        return tl::make_unexpected(std::move(next).error());
      }
      if (done_) return std::size_t{0};
    }
    MILLRACE_ASSIGN(const std::size_t n,
                    stream_.Read(buffer, std::min<std::uint64_t>(size, left_)));
    if (n == 0) {
      failed_ = true;
      return Fail(ErrorCode::kUnavailable, "unexpected EOF");
    }
    left_ -= n;
    return n;
  }

 private:
  Status NextChunk() {
    if (!first_) {
      auto end = stream_.Line(2);
      if (!end || !end->empty()) return Fail(ErrorCode::kParse, "malformed chunked encoding");
    }
    first_ = false;
    auto line = stream_.Line(4096);
    if (!line) {
      if (line.error().code == ErrorCode::kNotFound)
        return Fail(ErrorCode::kUnavailable, "unexpected EOF");
      return tl::make_unexpected(std::move(line).error());
    }
    const std::string_view size = Trim(std::string_view(*line).substr(0, line->find(';')));
    const auto n = ParseNumber<std::uint64_t>(size, 16);
    if (!n || size.size() > 16) return Fail(ErrorCode::kParse, "invalid byte in chunk length");
    left_ = *n;
    if (left_ != 0) return {};
    // Trailers, bounded; they are not metrics.
    for (int i = 0; i < 1000; ++i) {
      auto trailer = stream_.Line(65536);
      if (!trailer) return Fail(ErrorCode::kUnavailable, "unexpected EOF in trailer");
      if (trailer->empty()) {
        done_ = true;
        return {};
      }
    }
    return Fail(ErrorCode::kResourceExhausted, "too many trailers");
  }

  BufferedStream& stream_;
  std::uint64_t left_ = 0;
  bool first_ = true, done_ = false, failed_ = false;
};

class BodyToEnd final : public BodyReader {
 public:
  explicit BodyToEnd(BufferedStream& stream) : stream_(stream) {}
  Result<std::size_t> Read(char* buffer, std::size_t size) override {
    return stream_.Read(buffer, size);
  }

 private:
  BufferedStream& stream_;
};

class LimitedBody final : public BodyReader {
 public:
  LimitedBody(std::unique_ptr<BodyReader> body, std::int64_t limit)
      : body_(std::move(body)), left_(static_cast<std::uint64_t>(limit)) {}
  Result<std::size_t> Read(char* buffer, std::size_t size) override {
    if (left_ > 0) {
      MILLRACE_ASSIGN(const std::size_t n,
                      body_->Read(buffer, std::min<std::uint64_t>(size, left_)));
      left_ -= n;
      return n;
    }
    char one = 0;
    MILLRACE_ASSIGN(const std::size_t n, body_->Read(&one, 1));
    if (n == 0) return std::size_t{0};
    return Fail(ErrorCode::kResourceExhausted, "body is longer than body_size_limit");
  }

 private:
  std::unique_ptr<BodyReader> body_;
  std::uint64_t left_;
};

}  // namespace

std::unique_ptr<BodyReader> MakeEmptyBody() { return std::make_unique<EmptyBody>(); }
std::unique_ptr<BodyReader> MakeSizedBody(BufferedStream& stream, std::uint64_t size) {
  return std::make_unique<SizedBody>(stream, size);
}
std::unique_ptr<BodyReader> MakeChunkedBody(BufferedStream& stream) {
  return std::make_unique<ChunkedBody>(stream);
}
std::unique_ptr<BodyReader> MakeBodyToEnd(BufferedStream& stream) {
  return std::make_unique<BodyToEnd>(stream);
}
std::unique_ptr<BodyReader> MakeLimitedBody(std::unique_ptr<BodyReader> body, std::int64_t limit) {
  return std::make_unique<LimitedBody>(std::move(body), limit);
}

}  // namespace millrace::uptime_probe::web
