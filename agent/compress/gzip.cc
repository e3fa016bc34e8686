// gzip: libdeflate for whole buffers (several times faster than zlib), zlib for streams, which
// libdeflate cannot do.
#include <algorithm>
#include <new>

#include <libdeflate.h>
#include <zlib.h>

#include "agent/compress/compressor.h"
#include "common/base/check.h"

namespace millrace::agent {
namespace {

class Gzip final : public Compressor {
 public:
  explicit Gzip(int level) : context_(libdeflate_alloc_compressor(std::clamp(level, 1, 12))) {
    if (context_ == nullptr) throw std::bad_alloc();
  }
  ~Gzip() override { libdeflate_free_compressor(context_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  void Compress(std::string_view in, Buffer& out) override {
    const std::size_t bound = libdeflate_gzip_compress_bound(context_, in.size());
    // Log lines shrink to a third or less: try with half the bound first, so that the buffer does
    // not grow to the size of the input.
    for (std::size_t room = std::min(bound, in.size() / 2 + 1024);; room = bound) {
      char* p = out.Reserve(room);
      const std::size_t n = libdeflate_gzip_compress(context_, in.data(), in.size(), p, room);
      if (n != 0) return out.Commit(n);
      MILLRACE_CHECK(room < bound);
    }
  }

 private:
  libdeflate_compressor* context_;
};

class GzipStream final : public StreamCompressor {
 public:
  explicit GzipStream(int level) {
    // 16 on top of the window bits: gzip, not zlib, framing.
    if (deflateInit2(&stream_, std::clamp(level, 1, 9), Z_DEFLATED, 15 + 16, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~GzipStream() override { deflateEnd(&stream_); }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  void Write(std::string_view in, Buffer& out) override {
    open_ = open_ || !in.empty();
    Run(in, Z_NO_FLUSH, out);
  }
  void Flush(Buffer& out) override {
    if (open_) Run({}, Z_SYNC_FLUSH, out);
  }
  void End(Buffer& out) override {
    if (!open_) return;
    Run({}, Z_FINISH, out);
    deflateReset(&stream_);
    open_ = false;
  }

 private:
  void Run(std::string_view in, int flush, Buffer& out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    do {
      const std::size_t room = std::max<std::size_t>(16 * 1024, stream_.avail_in / 4);
      stream_.next_out = reinterpret_cast<Bytef*>(out.Reserve(room));
      stream_.avail_out = static_cast<uInt>(room);
      deflate(&stream_, flush);
      out.Commit(room - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

  z_stream stream_{};
  bool open_ = false;
};

}  // namespace

std::unique_ptr<Compressor> MakeGzip(int level) {
  return std::make_unique<Gzip>(level == 0 ? 1 : level);
}
std::unique_ptr<StreamCompressor> MakeGzipStream(int level) {
  return std::make_unique<GzipStream>(level == 0 ? 1 : level);
}

}  // namespace millrace::agent
