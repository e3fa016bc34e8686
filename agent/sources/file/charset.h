#pragma once
// Character sets by iconv(3).
#include <memory>
#include <string>
#include <string_view>

#include "agent/core/arena.h"
#include "common/base/result.h"

namespace millrace::agent {

/// One thread at a time.
class Charset {
 public:
  [[nodiscard]] static bool Known(const std::string& name);
  [[nodiscard]] static Result<std::shared_ptr<Charset>> Open(const std::string& name);
  ~Charset();
  Charset(const Charset&) = delete;
  Charset& operator=(const Charset&) = delete;

  /// Into UTF-8; invalid bytes become U+FFFD. A byte order mark goes.
  [[nodiscard]] std::string_view Decode(std::string_view bytes, Arena& arena);
  /// From UTF-8; kInvalidArgument if the character set has no such characters.
  [[nodiscard]] Result<std::string> Encode(std::string_view text) const;
  /// Bytes of the smallest character: 2 for UTF-16, 4 for UTF-32, else 1.
  [[nodiscard]] std::size_t unit() const { return unit_; }

 private:
  Charset(void* decoder, void* encoder) : decoder_(decoder), encoder_(encoder) {}
  void* decoder_;
  void* encoder_;
  std::size_t unit_ = 1;
};

}  // namespace millrace::agent
