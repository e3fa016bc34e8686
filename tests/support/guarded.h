#pragma once
// A value that a test sets while a server's thread reads it.
#include <mutex>
#include <utility>

namespace millrace::test {

template <class T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}
  Guarded& operator=(T value) {
    const std::lock_guard lock(mu_);
    value_ = std::move(value);
    return *this;
  }
  [[nodiscard]] T get() const {
    const std::lock_guard lock(mu_);
    return value_;
  }

 private:
  mutable std::mutex mu_;
  T value_{};
};

}  // namespace millrace::test
