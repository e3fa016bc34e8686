#include "agent/compress/compressor.h"

namespace millrace::agent {

std::unique_ptr<Compressor> MakeCompressor(Compression kind, int level) {
  switch (kind) {
    case Compression::kGzip:
      return MakeGzip(level);
    case Compression::kZstd:
      return MakeZstd(level);
    case Compression::kNone:
      break;
  }
  return nullptr;
}

std::unique_ptr<StreamCompressor> MakeStreamCompressor(Compression kind, int level,
                                                       int window_log) {
  switch (kind) {
    case Compression::kGzip:
      return MakeGzipStream(level);
    case Compression::kZstd:
      return MakeZstdStream(level, window_log);
    case Compression::kNone:
      break;
  }
  return nullptr;
}

}  // namespace millrace::agent
