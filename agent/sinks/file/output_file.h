#pragma once
// One file that the file sink writes.
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/compress/compressor.h"
#include "agent/sinks/file/owned_files.h"
#include "common/base/buffer.h"
#include "common/base/fd.h"
#include "common/base/result.h"

namespace millrace::agent {

struct OutputFileOptions {
  Compression compression = Compression::kNone;
  int level = 0, window_log = 0;
  std::uint64_t rotate_bytes = 0;          ///< 0 = never by size.
  std::chrono::seconds rotate_interval{};  ///< 0 = never by time.
  unsigned keep = 0;                       ///< Rotated files that stay; 0 = all.
  unsigned mode = 0644;
};

/// Not thread safe. Errors leave what was not written in place, so that the call can be repeated.
class OutputFile {
 public:
  /// Makes the folders, opens for appending, repairs what a killed process left.
  static Result<std::unique_ptr<OutputFile>> Open(std::string path,
                                                  const OutputFileOptions& options,
                                                  OwnedFiles& owned);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Where encoded lines are appended.
  [[nodiscard]] Buffer& pending() { return pending_; }
  [[nodiscard]] bool dirty() const { return !pending_.empty() || !wire_.empty(); }
  /// Writes everything pending so that a reader can see it. `written` counts the bytes.
  Status Flush(std::uint64_t& written);
  /// fsync, if anything was written since the last.
  Status Sync();
  /// Completes the compressed frame and writes it. Called before the object goes; the destructor
  /// only closes.
  Status Finish(std::uint64_t& written);

  /// The limits say that the next write belongs into a new file, or that somebody moved the file
  /// away.
  enum class Fate : std::uint8_t { kStay, kRotate, kReopen };
  [[nodiscard]] Fate Check(std::chrono::system_clock::time_point now);
  /// Renames the finished file; the caller opens a new one. Old rotated files beyond `keep` go.
  Status MoveAway(std::chrono::system_clock::time_point now);

  [[nodiscard]] const std::string& path() const { return path_; }
  std::chrono::steady_clock::time_point last_used{};

 private:
  OutputFile(std::string path, const OutputFileOptions& options, OwnedFiles& owned, Fd fd);
  Status WriteWire(Buffer& wire, std::uint64_t& written);
  void Prune() const;
  [[nodiscard]] std::int64_t Period(std::chrono::system_clock::time_point t) const;

  std::string path_;
  OutputFileOptions options_;
  OwnedFiles& owned_;
  Fd fd_;
  OwnedFiles::Id id_;
  std::unique_ptr<StreamCompressor> compressor_;
  Buffer pending_;             ///< Encoded, not compressed.
  Buffer wire_;                ///< Compressed, not written.
  std::size_t wire_done_ = 0;  ///< Of wire_ (or, uncompressed, of pending_): already written.
  std::uint64_t size_ = 0;     ///< Of the file.
  std::uint64_t frame_ = 0;    ///< Plain bytes in the open frame.
  std::int64_t period_ = 0;    ///< Of rotate_interval that the file belongs to.
  bool unsynced_ = false, fresh_ = false;
  std::chrono::steady_clock::time_point next_check_{};
};

/// "app.log" -> "app.log.20261122T205548Z", "app.log.zst" -> "app.log.20261122T205548Z.zst".
[[nodiscard]] std::string RotatedName(const std::string& path,
                                      std::chrono::system_clock::time_point now);

}  // namespace millrace::agent
