#include "tests/unit/agent_sinks/decompress.h"

#include <zlib.h>
#include <zstd.h>

namespace millrace::agent::testing {

std::string Gunzip(std::string_view in) {
  std::string out;
  z_stream s{};
  inflateInit2(&s, 15 + 16);
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  s.avail_in = static_cast<uInt>(in.size());
  for (;;) {
    char chunk[4096];
    s.next_out = reinterpret_cast<Bytef*>(chunk);
    s.avail_out = sizeof chunk;
    const int r = inflate(&s, Z_SYNC_FLUSH);
    out.append(chunk, sizeof chunk - s.avail_out);
    if (r == Z_STREAM_END && s.avail_in > 0) {
      inflateReset(&s);
    } else if (r == Z_DATA_ERROR) {
      out += "<damaged>";
      break;
    } else if (r != Z_OK || (s.avail_in == 0 && s.avail_out > 0)) {
      break;
    }
  }
  inflateEnd(&s);
  return out;
}

std::string Unzstd(std::string_view in) {
  std::string out;
  ZSTD_DCtx* d = ZSTD_createDCtx();
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  char chunk[4096];
  for (;;) {
    ZSTD_outBuffer to{chunk, sizeof chunk, 0};
    const std::size_t r = ZSTD_decompressStream(d, &to, &from);
    out.append(chunk, to.pos);
    if (ZSTD_isError(r) != 0) {
      out += "<damaged>";
      break;
    }
    if (to.pos < sizeof chunk && from.pos == from.size) break;
  }
  ZSTD_freeDCtx(d);
  return out;
}

std::string Decompress(Compression kind, std::string_view in) {
  return kind == Compression::kGzip ? Gunzip(in) : Unzstd(in);
}

}  // namespace millrace::agent::testing
