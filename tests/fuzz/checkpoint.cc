// Checkpoint logs, records of tails, names of rotated files, patterns.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/checkpoints/log.h"
#include "agent/sources/file/glob.h"
#include "agent/sources/file/tail.h"

using namespace millrace::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  static_cast<void>(ParseCheckpointLog(text));
  // Whatever is written is read back.
  std::string log;
  AppendHeader(log, 7);
  AppendPutLine(log, 3, {5, 6}, text, text);
  const auto parsed = ParseCheckpointLog(log);
  if (!parsed || parsed->lines.size() != 1 || parsed->lines[0].record.key != text ||
      parsed->lines[0].record.detail != text)
    std::abort();
  if (const auto record = DecodeTailRecord(text)) {
    const auto again = DecodeTailRecord(EncodeTailRecord(*record));
    if (!again || again->path != record->path || again->label != record->label) std::abort();
  }
  static_cast<void>(RotatedFrom(text));
  static_cast<void>(RotationNumber(text));
  if (const auto cut = text.find('\n'); cut != std::string::npos && size < 300) {
    static_cast<void>(ExpandBraces(text.substr(0, cut)));
    static_cast<void>(GlobMatch(text.substr(0, cut), text.substr(cut + 1)));
  }
  return 0;
}
