#include "agent/core/arena.h"

#include <algorithm>

namespace millrace::agent {

Block Block::Make(std::size_t size) {
  // for_overwrite: a read fills it; zeroing 64 KiB a batch costs as much as reading it.
  Block block{std::shared_ptr<char[]>(new char[size + kPadding]), size};
  std::memset(block.data.get() + size, 0, kPadding);
  return block;
}

void Arena::Share(const Arena& other) {
  blocks_.insert(blocks_.end(), other.blocks_.begin(), other.blocks_.end());
  bytes_ += other.bytes_;
}

void Arena::Grow(std::size_t n) {
  // Small first block: most batches of a quiet file hold one line. Doubles up to 64 KiB.
  const std::size_t size = std::max(n, std::clamp<std::size_t>(bytes_, 1024, 64 * 1024));
  Block block = Block::Make(size);
  pos_ = block.data.get();
  left_ = size;
  bytes_ += size;
  blocks_.push_back(std::move(block.data));
}

}  // namespace millrace::agent
