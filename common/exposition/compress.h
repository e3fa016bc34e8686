#pragma once
// Compression of a reply with contexts that live as long as the compressor.
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/exposition/negotiate.h"

namespace millrace::exposition {

/// Not thread safe. A context is made on the first use of its encoding: gzip holds about 70 KiB,
/// zstd what its level needs for `in.size()`.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  /// Replaces `out`, keeps its memory. kIdentity copies.
  [[nodiscard]] Status Compress(Encoding encoding, std::string_view in, std::string& out);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace millrace::exposition
