#pragma once
// Compression of what sinks write. Contexts cost megabytes and are reused, never made per batch.
#include <cstdint>
#include <memory>
#include <string_view>

#include "common/base/buffer.h"
#include "common/config/visitor.h"

namespace millrace::agent {

enum class Compression : std::uint8_t { kNone, kGzip, kZstd };

/// Whole buffers: each call makes one complete gzip member or zstd frame. Not thread safe.
class Compressor {
 public:
  virtual ~Compressor() = default;
  virtual void Compress(std::string_view in, Buffer& out) = 0;
};
/// `level` 0 = the fastest that pays (gzip 1 by libdeflate, zstd 1). Null for kNone.
[[nodiscard]] std::unique_ptr<Compressor> MakeCompressor(Compression kind, int level = 0);

/// A file that is being written: everything up to the last Flush() can be read by zcat or zstdcat
/// while the file grows, and End() completes the member or frame. Not thread safe.
class StreamCompressor {
 public:
  virtual ~StreamCompressor() = default;
  /// Appends to `out` what is ready; the rest stays inside until Flush() or End().
  virtual void Write(std::string_view in, Buffer& out) = 0;
  virtual void Flush(Buffer& out) = 0;
  /// The next Write() starts a new member or frame. Nothing if nothing was written since the last.
  virtual void End(Buffer& out) = 0;
};
/// `window_log` bounds what zstd remembers (and its memory); 0 = the level's own. Null for kNone.
[[nodiscard]] std::unique_ptr<StreamCompressor> MakeStreamCompressor(Compression kind,
                                                                     int level = 0,
                                                                     int window_log = 0);

// gzip.cc and zstd.cc
[[nodiscard]] std::unique_ptr<Compressor> MakeGzip(int level);
[[nodiscard]] std::unique_ptr<StreamCompressor> MakeGzipStream(int level);
[[nodiscard]] std::unique_ptr<Compressor> MakeZstd(int level);
[[nodiscard]] std::unique_ptr<StreamCompressor> MakeZstdStream(int level, int window_log);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::Compression> {
  using enum millrace::agent::Compression;
  static constexpr std::pair<millrace::agent::Compression, std::string_view> kList[] = {
      {kNone, "none"}, {kGzip, "gzip"}, {kZstd, "zstd"}};
};
