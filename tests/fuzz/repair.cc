// Files of any content at the place of an output file: repaired or left alone, never made longer
// than by an end of a frame, and a repaired file needs no second repair.
#include "agent/sinks/support/repair.h"

#include <cstdlib>

#include <sys/mman.h>
#include <unistd.h>

#include "common/base/fd.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace millrace::agent;
  if (size == 0) return 0;
  const Compression kind = static_cast<Compression>(data[0] % 3);
  const millrace::Fd fd(::memfd_create("fuzz", MFD_CLOEXEC));
  if (!fd || !millrace::WriteAll(fd.get(), {reinterpret_cast<const char*>(data) + 1, size - 1}))
    return 0;
  const auto first = RepairTail(fd.get(), kind, true);
  if (!first || first->foreign) return 0;
  if (::lseek(fd.get(), 0, SEEK_END) > static_cast<off_t>(size - 1) + 10) std::abort();
  const auto second = RepairTail(fd.get(), kind, true);
  if (!second || second->cut != 0 || second->completed || second->foreign) std::abort();
  return 0;
}
