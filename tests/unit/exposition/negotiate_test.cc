#include "common/exposition/negotiate.h"

#include <libdeflate.h>
#include <zstd.h>

#include "common/exposition/compress.h"
#include "tests/support/catch.h"

using namespace millrace::exposition;

TEST_CASE("format by Accept") {
  CHECK(NegotiateFormat("").format == Format::kText);
  CHECK(NegotiateFormat("*/*").format == Format::kText);
  // What Prometheus 2.x and 3.x send.
  CHECK(NegotiateFormat("application/openmetrics-text;version=1.0.0;q=0.8,"
                        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
            .format == Format::kOpenMetrics);
  const auto proto = NegotiateFormat(
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
      "q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
      "text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1");
  CHECK(proto.format == Format::kProtobuf);
  CHECK(ContentType(proto) ==
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
        "encoding=delimited; escaping=underscores");
  CHECK(NegotiateFormat("application/vnd.google.protobuf;encoding=text").format == Format::kText);
  CHECK(NegotiateFormat("application/openmetrics-text;version=2.0.0").format == Format::kText);
  CHECK(ContentType(NegotiateFormat("application/openmetrics-text")) ==
        "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores");
  CHECK(ContentType(NegotiateFormat("text/plain;escaping=dots")) ==
        "text/plain; version=0.0.4; charset=utf-8; escaping=dots");
}

TEST_CASE("encoding by Accept-Encoding") {
  CHECK(NegotiateEncoding("") == Encoding::kIdentity);
  CHECK(NegotiateEncoding("gzip") == Encoding::kGzip);
  CHECK(NegotiateEncoding("gzip, zstd") == Encoding::kGzip);
  CHECK(NegotiateEncoding("gzip;q=0.5, zstd") == Encoding::kZstd);
  CHECK(NegotiateEncoding("zstd;q=0.5, gzip;q=0.9") == Encoding::kGzip);
  CHECK(NegotiateEncoding("gzip;q=0, br") == Encoding::kIdentity);
}

TEST_CASE("compressed bodies read back") {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "node_x{device=\"d" + std::to_string(i) + "\"} 1\n";
  Compressor c;
  std::string out;
  for (int round = 0; round < 2; ++round) {
    REQUIRE(c.Compress(Encoding::kGzip, text, out).has_value());
    CHECK(out.size() * 3 < text.size());
    std::string back(text.size(), '\0');
    std::size_t n = 0;
    libdeflate_decompressor* d = libdeflate_alloc_decompressor();
    CHECK(libdeflate_gzip_decompress(d, out.data(), out.size(), back.data(), back.size(), &n) ==
          LIBDEFLATE_SUCCESS);
    libdeflate_free_decompressor(d);
    CHECK(back == text);
    REQUIRE(c.Compress(Encoding::kZstd, text, out).has_value());
    CHECK(ZSTD_decompress(back.data(), back.size(), out.data(), out.size()) == text.size());
    CHECK(back == text);
  }
}
