#include "exporters/node/read_once.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "common/base/fd.h"

namespace millrace::node {

int ReadOnce(const std::string& path, std::string& buffer, std::size_t limit) {
  constexpr std::size_t kStep = 4096;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno;
  std::size_t used = 0;
  for (;;) {
    if (buffer.size() < used + kStep) buffer.resize(used + kStep);
    const ssize_t n = ::read(fd.get(), buffer.data() + used, buffer.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      buffer.clear();
      return error;
    }
    used += static_cast<std::size_t>(n);
    if (n == 0 || used >= limit) break;
  }
  buffer.resize(std::min(used, limit));
  return 0;
}

}  // namespace millrace::node
