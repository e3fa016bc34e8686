#pragma once
// What a killed process leaves at the end of a file, put right before more is written behind it.
#include <cstdint>
#include <string>

#include "agent/compress/compressor.h"
#include "common/base/result.h"

namespace millrace::agent {

/// What RepairTail() did.
struct Repair {
  std::uint64_t cut = 0;   ///< Bytes taken off the end: they were never acknowledged.
  bool completed = false;  ///< An open zstd frame or gzip member was given its end.
  bool foreign = false;    ///< Not something this sink writes; nothing was done.
};

/// Makes the end of the file open at `fd` (read and write) fit for appending.
///
/// Plain: a last line without line feed is cut off if `ours`, else it gets a line feed. Compressed:
/// the frames up to the last complete line stay, and the open one is completed. Every acknowledged
/// event ended with a flush behind a line feed, so nothing acknowledged is ever cut; a crash in the
/// middle of the repair leaves a file that can be repaired again.
[[nodiscard]] Result<Repair> RepairTail(int fd, Compression kind, bool ours);

}  // namespace millrace::agent
