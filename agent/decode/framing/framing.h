#pragma once
// Bytes into lines: cuts what a source read into events whose `message` points into the block that
// was read. No allocation and no copy per line.
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "agent/core/event.h"

namespace millrace::agent {

struct FramingOptions {
  std::string delimiter = "\n";  ///< Not empty. With "\n", a "\r" before it goes too.
  std::size_t max_line_bytes = 102'400;
  enum class TooLong : std::uint8_t {
    kTruncate,  ///< The first max_line_bytes, with `_truncated: true` and `_original_bytes`.
    kDrop,      ///< No event; counted.
  };
  TooLong too_long = TooLong::kTruncate;
  /// Delimiters stand at multiples of this: 2 for UTF-16, 4 for UTF-32.
  std::size_t unit = 1;
  /// Turns a line into UTF-8 inside the arena; empty = lines are taken as they are.
  std::function<std::string_view(std::string_view, Arena&)> transcode;
  std::size_t max_events = 2048;  ///< Per batch.
};

/// Cuts the bytes of one stream. Between blocks it keeps the unfinished line only, never more than
/// max_line_bytes of it however long the line is.
///
///   std::span<char> room = framer.Prepare(n);         // read into it
///   framer.Commit(got);
///   do { batch = ...; more = framer.Cut(*batch, now); send; } while (more);
class LineFramer {
 public:
  /// `options` must outlive the framer. `position` is that of the first byte to come; it must be
  /// the start of a line.
  LineFramer(const FramingOptions& options, std::uint64_t position)
      : options_(&options), position_(position), line_start_(position) {}
  /// The same in the middle of a stream: `before` are the bytes that end at `position`.
  LineFramer(const FramingOptions& options, std::uint64_t position, std::string_view before)
      : LineFramer(options, position) {
    Remember(before);
  }

  /// Room for `want` bytes of the stream, right behind those committed before. Valid until the next
  /// call of anything else.
  [[nodiscard]] std::span<char> Prepare(std::size_t want);
  /// The first `n` bytes of the room are filled.
  void Commit(std::size_t n);
  /// Appends lines to `batch`, which shares the block. True = its max_events are reached and there
  /// may be more lines in the block: send the batch and call again with a new one.
  [[nodiscard]] bool Cut(EventBatch& batch, std::int64_t now_ns);
  /// Gives out the unfinished line, if there is one, as if its delimiter had come.
  void Finish(EventBatch& batch, std::int64_t now_ns);

  /// Everything before this position was given out or dropped: the start of the unfinished line.
  [[nodiscard]] std::uint64_t line_start() const { return line_start_; }
  /// Of the next byte to come.
  [[nodiscard]] std::uint64_t position() const { return position_; }

  /// At most kRecent bytes that end at line_start().
  static constexpr std::size_t kRecent = 64;
  [[nodiscard]] std::string_view before() const { return {before_.data(), before_size_}; }
  /// At most kRecent bytes that end at position().
  [[nodiscard]] std::string Recent() const;

  struct Stats {
    std::uint64_t truncated = 0, dropped = 0;
  };
  /// Lines that were too long, since the last call.
  [[nodiscard]] Stats TakeStats() { return std::exchange(stats_, {}); }

 private:
  [[nodiscard]] const char* FindDelimiter(const char* from, const char* end) const;
  void Emit(EventBatch& batch, std::int64_t now_ns, std::string_view line);
  void EmitLong(EventBatch& batch, std::int64_t now_ns, std::string_view head,
                std::uint64_t original_bytes);
  void KeepRest();
  /// `bytes` follow those that before() has.
  void Remember(std::string_view bytes);

  const FramingOptions* options_;
  std::uint64_t position_, line_start_;
  std::array<char, kRecent> before_{};
  std::size_t before_size_ = 0;
  // Between blocks: the unfinished line, or, once it is too long, its head and the last bytes.
  std::string carry_, head_;
  bool long_ = false;
  // The block being cut.
  Block block_;
  std::size_t filled_ = 0, cursor_ = 0, scan_ = 0;
  std::uint64_t block_position_ = 0;
  std::size_t average_ = 128;  ///< Bytes a line, for reserving.
  Stats stats_;
};

}  // namespace millrace::agent
