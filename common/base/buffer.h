#pragma once
// A growable run of bytes for encoders: like std::string, but growing neither zero-fills nor needs
// a second size. Reused over and over; its memory comes from realloc, so that large buffers move by
// remapping pages.
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace millrace {

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      std::free(data_);
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
      capacity_ = std::exchange(other.capacity_, 0);
    }
    return *this;
  }
  ~Buffer() { std::free(data_); }

  [[nodiscard]] char* data() { return data_; }
  [[nodiscard]] const char* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::string_view view() const { return {data_, size_}; }
  void clear() { size_ = 0; }

  /// Room for `n` more bytes; returns where they go. They count after Commit().
  char* Reserve(std::size_t n) {
    if (n > capacity_ - size_) Grow(n);
    return data_ + size_;
  }
  void Commit(std::size_t n) { size_ += n; }
  /// Everything up to `end`, which a pointer from Reserve() was moved to, counts.
  void CommitTo(const char* end) { size_ = static_cast<std::size_t>(end - data_); }
  /// Cuts back to `size`, at most size().
  void Truncate(std::size_t size) { size_ = size; }

  void Append(std::string_view s) {
    char* p = Reserve(s.size() + 1);
    if (!s.empty()) std::memcpy(p, s.data(), s.size());  // an empty view may be null
    size_ += s.size();
  }
  void Append(char c) {
    *Reserve(1) = c;
    ++size_;
  }
  /// Takes the first `n` bytes away.
  void Consume(std::size_t n) {
    std::memmove(data_, data_ + n, size_ - n);
    size_ -= n;
  }
  /// Gives memory back when more than `keep` bytes are held; the content goes.
  void ShrinkTo(std::size_t keep) {
    size_ = 0;
    if (capacity_ <= keep) return;
    std::free(std::exchange(data_, nullptr));
    capacity_ = 0;
  }

 private:
  void Grow(std::size_t n) {
    std::size_t want = capacity_ < 256 ? 256 : capacity_ + capacity_ / 2;
    if (want < size_ + n) want = size_ + n;
    auto* grown = static_cast<char*>(std::realloc(data_, want));
    if (grown == nullptr) throw std::bad_alloc();
    data_ = grown;
    capacity_ = want;
  }

  char* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace millrace
