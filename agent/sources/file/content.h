#pragma once
// The bytes of a log file at their uncompressed positions, whether the file is plain or a rotated
// copy in gzip or zstd.
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::agent {

enum class ContentKind : std::uint8_t { kPlain, kGzip, kZstd };
/// By the magic number.
[[nodiscard]] ContentKind SniffContent(std::string_view head);

class Content {
 public:
  Content() { live_.fetch_add(1, std::memory_order_relaxed); }
  virtual ~Content() { live_.fetch_sub(1, std::memory_order_relaxed); }
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  /// Reads at `position`; 0 = nothing there (yet). Plain files are read at random; a compressed one
  /// is decompressed up to `position`, from its beginning again if that lies behind.
  /// kParse: damaged compressed data.
  virtual Result<std::size_t> Read(std::span<char> out, std::uint64_t position) = 0;
  [[nodiscard]] virtual ContentKind kind() const = 0;
  [[nodiscard]] virtual int fd() const = 0;
  /// False: what was read so far ends in the middle of compressed data.
  [[nodiscard]] virtual bool complete() const { return true; }
  /// Uncompressed size of a compressed file, when its header or trailer tells.
  [[nodiscard]] virtual std::optional<std::uint64_t> TotalSize() const { return std::nullopt; }

  /// Takes the descriptor; looks at the first bytes.
  [[nodiscard]] static Result<std::unique_ptr<Content>> Open(Fd fd);
  /// How many there are in the process: each one is an open file.
  [[nodiscard]] static std::size_t live() { return live_.load(std::memory_order_relaxed); }

 private:
  static inline std::atomic<std::size_t> live_{0};
};

/// Until `out` is full or the content ends; the number of bytes read.
[[nodiscard]] Result<std::size_t> ReadFully(Content& content, std::span<char> out,
                                            std::uint64_t position);
/// The bytes [position - n, position), fewer at the beginning; kNotFound if the content is shorter.
[[nodiscard]] Result<std::string> ReadBefore(Content& content, std::uint64_t position,
                                             std::size_t n);

}  // namespace millrace::agent
