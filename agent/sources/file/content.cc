#include "agent/sources/file/content.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

namespace millrace::agent {
namespace {

Result<std::size_t> PRead(int fd, char* out, std::size_t n, std::uint64_t position) {
  for (;;) {
    const ssize_t got = ::pread(fd, out, n, static_cast<off_t>(position));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return FailErrno("read", errno);
  }
}

class PlainContent final : public Content {
 public:
  explicit PlainContent(Fd fd) : fd_(std::move(fd)) {}
  Result<std::size_t> Read(std::span<char> out, std::uint64_t position) override {
    return PRead(fd_.get(), out.data(), out.size(), position);
  }
  [[nodiscard]] ContentKind kind() const override { return ContentKind::kPlain; }
  [[nodiscard]] int fd() const override { return fd_.get(); }

 private:
  Fd fd_;
};

/// What both decompressors share: where the input and the output stand.
class PackedContent : public Content {
 public:
  explicit PackedContent(Fd fd) : fd_(std::move(fd)), input_(64 * 1024) {}
  Result<std::size_t> Read(std::span<char> out, std::uint64_t position) final {
    if (position < position_) {
      Restart();
      position_ = file_position_ = 0;
      begin_ = end_ = 0;
    }
    while (position_ < position) {
      std::array<char, 16 * 1024> skipped{};
      const std::size_t want = std::min<std::uint64_t>(skipped.size(), position - position_);
      MILLRACE_ASSIGN(const std::size_t n, Next({skipped.data(), want}));
      if (n == 0) return 0;
    }
    return Next(out);
  }
  [[nodiscard]] int fd() const final { return fd_.get(); }
  [[nodiscard]] bool complete() const final { return complete_; }

 protected:
  virtual void Restart() = 0;
  /// Decompresses from [begin_, end_) of input_ and moves begin_; 0 = more input is needed.
  virtual Result<std::size_t> Decompress(std::span<char> out) = 0;

  std::size_t begin_ = 0, end_ = 0;
  bool complete_ = true;  ///< At the end of a member or frame.
  [[nodiscard]] char* input() { return input_.data(); }

 private:
  Result<std::size_t> Next(std::span<char> out) {
    for (;;) {
      const std::size_t before = end_ - begin_;
      MILLRACE_ASSIGN(const std::size_t n, Decompress(out));
      position_ += n;
      if (n > 0) return n;
      if (begin_ < end_ && end_ - begin_ != before) continue;  // a header, the end of a member
      if (begin_ > 0) {
        std::copy(input_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  input_.begin() + static_cast<std::ptrdiff_t>(end_), input_.begin());
        end_ -= begin_;
        begin_ = 0;
      }
      if (end_ == input_.size())
        return Fail(ErrorCode::kParse, "compressed data makes no progress");
      MILLRACE_ASSIGN(const std::size_t got,
                      PRead(fd_.get(), input_.data() + end_, input_.size() - end_, file_position_));
      if (got == 0) return 0;
      file_position_ += got;
      end_ += got;
    }
  }

  Fd fd_;
  std::vector<char> input_;
  std::uint64_t position_ = 0, file_position_ = 0;
};

class GzipContent final : public PackedContent {
 public:
  explicit GzipContent(Fd fd) : PackedContent(std::move(fd)) { Init(); }
  ~GzipContent() override { ::inflateEnd(&stream_); }
  [[nodiscard]] ContentKind kind() const override { return ContentKind::kGzip; }

 protected:
  void Restart() override {
    ::inflateEnd(&stream_);
    Init();
  }
  Result<std::size_t> Decompress(std::span<char> out) override {
    if (begin_ == end_) return 0;
    stream_.next_in = reinterpret_cast<Bytef*>(input() + begin_);
    stream_.avail_in = static_cast<uInt>(end_ - begin_);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), 1U << 30));
    const uInt room = stream_.avail_out;
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    begin_ = end_ - stream_.avail_in;
    complete_ = result == Z_STREAM_END;
    if (result == Z_STREAM_END)
      ::inflateReset(&stream_);  // one member after another, as gzip -c >> does
    else if (result != Z_OK && result != Z_BUF_ERROR)
      return Fail(ErrorCode::kParse,
                  std::string("gzip: ") + (stream_.msg != nullptr ? stream_.msg : "damaged data"));
    return room - stream_.avail_out;
  }

 private:
  void Init() {
    stream_ = {};
    ::inflateInit2(&stream_, 16 + MAX_WBITS);
  }
  z_stream stream_{};
};

class ZstdContent final : public PackedContent {
 public:
  explicit ZstdContent(Fd fd) : PackedContent(std::move(fd)), context_(::ZSTD_createDCtx()) {}
  [[nodiscard]] ContentKind kind() const override { return ContentKind::kZstd; }
  [[nodiscard]] std::optional<std::uint64_t> TotalSize() const override {
    std::array<char, 18> header{};
    const auto n = PRead(fd(), header.data(), header.size(), 0);
    if (!n) return std::nullopt;
    const unsigned long long size = ::ZSTD_getFrameContentSize(header.data(), *n);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) return std::nullopt;
    return size;
  }

 protected:
  void Restart() override { ::ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only); }
  Result<std::size_t> Decompress(std::span<char> out) override {
    ZSTD_inBuffer in{input(), end_, begin_};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const std::size_t result = ::ZSTD_decompressStream(context_.get(), &to, &in);
    begin_ = in.pos;
    if (in.size > 0) complete_ = result == 0;
    if (::ZSTD_isError(result) != 0)
      return Fail(ErrorCode::kParse, std::string("zstd: ") + ::ZSTD_getErrorName(result));
    return to.pos;
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ::ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
};

}  // namespace

ContentKind SniffContent(std::string_view head) {
  if (head.starts_with("\x1f\x8b\x08")) return ContentKind::kGzip;
  if (head.starts_with("\x28\xb5\x2f\xfd")) return ContentKind::kZstd;
  return ContentKind::kPlain;
}

Result<std::unique_ptr<Content>> Content::Open(Fd fd) {
  std::array<char, 4> head{};
  MILLRACE_ASSIGN(const std::size_t n, PRead(fd.get(), head.data(), head.size(), 0));
  switch (SniffContent({head.data(), n})) {
    case ContentKind::kGzip:
      return std::make_unique<GzipContent>(std::move(fd));
    case ContentKind::kZstd:
      return std::make_unique<ZstdContent>(std::move(fd));
    case ContentKind::kPlain:
      break;
  }
  return std::make_unique<PlainContent>(std::move(fd));
}

Result<std::size_t> ReadFully(Content& content, std::span<char> out, std::uint64_t position) {
  std::size_t done = 0;
  while (done < out.size()) {
    MILLRACE_ASSIGN(const std::size_t n, content.Read(out.subspan(done), position + done));
    if (n == 0) break;
    done += n;
  }
  return done;
}

Result<std::string> ReadBefore(Content& content, std::uint64_t position, std::size_t n) {
  n = std::min<std::uint64_t>(n, position);
  std::string out(n, '\0');
  MILLRACE_ASSIGN(const std::size_t got, ReadFully(content, out, position - n));
  if (got < n) return Fail(ErrorCode::kNotFound, "the content ends before the position");
  return out;
}

}  // namespace millrace::agent
