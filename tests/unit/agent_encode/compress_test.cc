#include <string>

#include <zlib.h>
#include <zstd.h>

#include "agent/compress/compressor.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

/// What zcat shows of a file that may still be growing.
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
    REQUIRE(ZSTD_isError(r) == 0);
    out.append(chunk, to.pos);
    if (to.pos < sizeof chunk && from.pos == from.size) break;
  }
  ZSTD_freeDCtx(d);
  return out;
}

std::string Undo(Compression kind, std::string_view in) {
  return kind == Compression::kGzip ? Gunzip(in) : Unzstd(in);
}

std::string Lines(int n) {
  std::string s;
  for (int i = 0; i < n; ++i) s += "line " + std::to_string(i * 7919) + " of the log\n";
  return s;
}

TEST_CASE("whole buffers come back, also what does not shrink, one member after the other") {
  for (const Compression kind : {Compression::kGzip, Compression::kZstd}) {
    const auto c = MakeCompressor(kind);
    std::string noise;
    unsigned state = 1;
    for (int i = 0; i < 100'000; ++i)
      noise += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    for (const std::string& text : {std::string(), std::string("x"), Lines(10'000), noise}) {
      Buffer out;
      c->Compress(text, out);
      CHECK(Undo(kind, out.view()) == text);
      c->Compress("more", out);
      CHECK(Undo(kind, out.view()) == text + "more");
    }
  }
}

TEST_CASE("a flushed stream can be read before it ends, and a new one follows it") {
  for (const Compression kind : {Compression::kGzip, Compression::kZstd}) {
    const auto c = MakeStreamCompressor(kind, 0, 17);
    Buffer out;
    c->End(out);
    CHECK(out.empty());
    std::string text = Lines(20'000);
    c->Write(text, out);
    c->Flush(out);
    CHECK(Undo(kind, out.view()) == text);
    c->Write("tail\n", out);
    c->End(out);
    c->Write("next\n", out);
    c->Flush(out);
    CHECK(Undo(kind, out.view()) == text + "tail\nnext\n");
  }
}

}  // namespace
}  // namespace millrace::agent
