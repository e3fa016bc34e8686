// Bytes of a client: request heads (whole and in two pieces must agree), chunked bodies, paths.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/http/request_parser.h"

using namespace millrace::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  RequestHead whole, pieces;
  std::size_t scanned = 0;
  const ParseOutcome outcome = ParseHead(text, {}, scanned, whole);
  std::size_t resumed = 0;
  ParseOutcome halves = ParseHead(std::string_view(text).substr(0, size / 2), {}, resumed, pieces);
  if (halves.state == ParseOutcome::State::kMore) {
    halves = ParseHead(text, {}, resumed, pieces);
    if (halves.state != outcome.state || whole.size != pieces.size) std::abort();
  }
  std::string body, decoded;
  std::size_t used = 0;
  ChunkedDecoder decoder;
  if (decoder.Feed(text, 4096, body, used).state == ParseOutcome::State::kDone && used > size)
    std::abort();
  if (body.size() > 4096) std::abort();
  if (PercentDecode(text, true, decoded)) {
    const std::string clean = CleanPath(decoded);
    if (!clean.starts_with('/') || CleanPath(clean) != clean) std::abort();
  }
  return 0;
}
