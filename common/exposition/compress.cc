#include "common/exposition/compress.h"

#include <libdeflate.h>
#include <zstd.h>

namespace millrace::exposition {
namespace {

// Expositions are so repetitive that the fastest levels already take nine tenths off.
constexpr int kGzipLevel = 1;
constexpr int kZstdLevel = 1;

struct FreeGzip {
  void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};
struct FreeZstd {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
};

// Room without the cost of zeroing memory that was already there.
char* Grow(std::string& out, std::size_t bytes) {
  if (out.size() < bytes) out.resize(bytes);
  return out.data();
}

}  // namespace

struct Compressor::Contexts {
  std::unique_ptr<libdeflate_compressor, FreeGzip> gzip;
  std::unique_ptr<ZSTD_CCtx, FreeZstd> zstd;
};

Compressor::Compressor() : contexts_(std::make_unique<Contexts>()) {}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

Status Compressor::Compress(Encoding encoding, std::string_view in, std::string& out) {
  if (encoding == Encoding::kGzip) {
    if (!contexts_->gzip) contexts_->gzip.reset(libdeflate_alloc_compressor(kGzipLevel));
    if (!contexts_->gzip) return Fail(ErrorCode::kResourceExhausted, "gzip: no memory");
    const std::size_t bound = libdeflate_gzip_compress_bound(contexts_->gzip.get(), in.size());
    const std::size_t n = libdeflate_gzip_compress(contexts_->gzip.get(), in.data(), in.size(),
                                                   Grow(out, bound), bound);
    out.resize(n);
    return n != 0 ? Status() : Fail(ErrorCode::kInternal, "gzip: the output did not fit");
  }
  if (encoding == Encoding::kZstd) {
    if (!contexts_->zstd) contexts_->zstd.reset(ZSTD_createCCtx());
    if (!contexts_->zstd) return Fail(ErrorCode::kResourceExhausted, "zstd: no memory");
    const std::size_t bound = ZSTD_compressBound(in.size());
    const std::size_t n = ZSTD_compressCCtx(contexts_->zstd.get(), Grow(out, bound), bound,
                                            in.data(), in.size(), kZstdLevel);
    if (ZSTD_isError(n) != 0)
      return Fail(ErrorCode::kInternal, std::string("zstd: ") + ZSTD_getErrorName(n));
    out.resize(n);
    return {};
  }
  out.assign(in);
  return {};
}

}  // namespace millrace::exposition
