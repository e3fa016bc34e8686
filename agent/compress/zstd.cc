#include <algorithm>
#include <new>

#include <zstd.h>

#include "agent/compress/compressor.h"
#include "common/base/check.h"

namespace millrace::agent {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
};
using Context = std::unique_ptr<ZSTD_CCtx, FreeContext>;

Context MakeContext(int level, int window_log) {
  Context c(ZSTD_createCCtx());
  if (c == nullptr) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(c.get(), ZSTD_c_compressionLevel, level == 0 ? 1 : level);
  if (window_log != 0) ZSTD_CCtx_setParameter(c.get(), ZSTD_c_windowLog, window_log);
  return c;
}

class Zstd final : public Compressor {
 public:
  explicit Zstd(int level) : context_(MakeContext(level, 0)) {}

  void Compress(std::string_view in, Buffer& out) override {
    const std::size_t bound = ZSTD_compressBound(in.size());
    for (std::size_t room = std::min(bound, in.size() / 2 + 1024);; room = bound) {
      char* p = out.Reserve(room);
      const std::size_t n = ZSTD_compress2(context_.get(), p, room, in.data(), in.size());
      if (ZSTD_isError(n) == 0) return out.Commit(n);
      MILLRACE_CHECK(room < bound);
    }
  }

 private:
  Context context_;
};

class ZstdStream final : public StreamCompressor {
 public:
  // No checksum: the repair of a torn file completes a frame by a bare last block.
  ZstdStream(int level, int window_log) : context_(MakeContext(level, window_log)) {}

  void Write(std::string_view in, Buffer& out) override {
    open_ = open_ || !in.empty();
    Run(in, ZSTD_e_continue, out);
  }
  void Flush(Buffer& out) override {
    if (open_) Run({}, ZSTD_e_flush, out);
  }
  void End(Buffer& out) override {
    if (open_) Run({}, ZSTD_e_end, out);
    open_ = false;
  }

 private:
  void Run(std::string_view in, ZSTD_EndDirective mode, Buffer& out) {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    for (;;) {
      const std::size_t room = std::max<std::size_t>(16 * 1024, (from.size - from.pos) / 4);
      ZSTD_outBuffer to{out.Reserve(room), room, 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &to, &from, mode);
      MILLRACE_CHECK(ZSTD_isError(left) == 0);
      out.Commit(to.pos);
      if (mode == ZSTD_e_continue ? from.pos == from.size : left == 0) return;
    }
  }

  Context context_;
  bool open_ = false;
};

}  // namespace

std::unique_ptr<Compressor> MakeZstd(int level) { return std::make_unique<Zstd>(level); }
std::unique_ptr<StreamCompressor> MakeZstdStream(int level, int window_log) {
  return std::make_unique<ZstdStream>(level, window_log);
}

}  // namespace millrace::agent
