#pragma once
// Memory of a batch: blocks handed in by a source, plus a bump allocator for what transforms make.
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace millrace::agent {

/// Parsers may read (never write, never interpret) this many bytes behind any adopted block, as
/// simdjson does.
inline constexpr std::size_t kPadding = 64;

/// A reference-counted block of bytes; `size` does not count the kPadding bytes that follow.
struct Block {
  std::shared_ptr<char[]> data;
  std::size_t size = 0;
  static Block Make(std::size_t size);
};

/// Bump allocator. Freed whole. Not thread safe until its batch is sealed, read-only then.
class Arena {
 public:
  Arena() = default;
  Arena(Arena&&) = default;
  Arena& operator=(Arena&&) = default;

  /// Uninitialised; alignment 1; never null, never fails (std::bad_alloc ends the process).
  char* Allocate(std::size_t n) {
    if (n > left_) Grow(n);
    char* p = pos_;
    pos_ += n;
    left_ -= n;
    return p;
  }
  std::string_view Copy(std::string_view s) {
    char* p = Allocate(s.size());
    std::memcpy(p, s.data(), s.size());
    return {p, s.size()};
  }
  /// Gives back the tail of the newest allocation: `used` of the `allocated` bytes at `p` are kept.
  void Shrink(const char* p, std::size_t allocated, std::size_t used) {
    if (p + allocated == pos_) {
      pos_ -= allocated - used;
      left_ += allocated - used;
    }
  }
  /// Keeps a source's read buffer alive so that fields may point into it without a copy.
  void Adopt(Block block) {
    bytes_ += block.size;
    blocks_.push_back(std::move(block.data));
  }
  /// Keeps everything of `other` alive (a fork of a batch). Cheap: pointers only.
  void Share(const Arena& other);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void Grow(std::size_t n);

  std::vector<std::shared_ptr<char[]>> blocks_;
  char* pos_ = nullptr;
  std::size_t left_ = 0, bytes_ = 0;
};

}  // namespace millrace::agent
