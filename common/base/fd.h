#pragma once
// Owned file descriptors and whole-file helpers.
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace millrace {

/// Closes its descriptor; -1 means none.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { Reset(); }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Reset();

 private:
  int fd_ = -1;
};

/// The whole file, at most `limit` bytes (kResourceExhausted beyond).
[[nodiscard]] Result<std::string> ReadFile(const std::string& path,
                                           std::size_t limit = std::size_t{64} << 20);
/// Writes beside `path`, fsyncs, renames over it and fsyncs the directory: after a crash the file
/// is the old one or the new one, never a torn one.
[[nodiscard]] Status WriteFileAtomically(const std::string& path, std::string_view bytes,
                                         unsigned mode = 0644);
/// mkdir -p.
[[nodiscard]] Status MakeDirectories(const std::string& path, unsigned mode = 0755);
/// write(2) until all is written; EINTR is retried.
[[nodiscard]] Status WriteAll(int fd, std::string_view bytes);

}  // namespace millrace
