// Bytes of a log in pieces: first byte = options, then the text, cut by its own bytes.
#include "agent/decode/framing/framing.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace millrace::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  FramingOptions options;
  options.max_line_bytes = 1 + data[0] % 100;
  options.max_events = 1 + data[0] / 100;
  if (data[0] % 3 == 1) options.delimiter = "\n\n";
  if (data[0] % 5 == 4) options.too_long = FramingOptions::TooLong::kDrop;
  const std::size_t piece = 1 + data[1] % 37;
  LineFramer framer(options, 0);
  std::uint64_t bytes = 0, last = 0;
  const auto take = [&](const EventBatch& batch) {
    bytes += batch.bytes;
    for (const Event& e : batch.events()) {
      if (e.position < last || batch.Find(e, "message")->len > options.max_line_bytes) std::abort();
      last = e.position;
    }
  };
  for (std::size_t at = 2; at < size; at += piece) {
    const std::size_t n = std::min(piece, size - at);
    const auto room = framer.Prepare(n);
    std::copy(data + at, data + at + n, room.begin());
    framer.Commit(n);
    for (bool more = true; more;) {
      EventBatch batch;
      more = framer.Cut(batch, 1);
      take(batch);
    }
  }
  EventBatch batch;
  framer.Finish(batch, 1);
  take(batch);
  if (bytes != size - 2 || framer.position() != size - 2) std::abort();
  return 0;
}
