#include "agent/decode/framing/framing.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "agent/core/name.h"

namespace millrace::agent {
namespace {

constexpr std::string_view kTruncated = "_truncated";
constexpr std::string_view kOriginalBytes = "_original_bytes";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

std::span<char> LineFramer::Prepare(std::size_t want) {
  block_ = Block::Make(carry_.size() + want);
  std::memcpy(block_.data.get(), carry_.data(), carry_.size());
  return {block_.data.get() + carry_.size(), want};
}

void LineFramer::Commit(std::size_t n) {
  block_position_ = position_ - carry_.size();
  position_ += n;
  filled_ = carry_.size() + n;
  cursor_ = 0;
  // The carry was searched already, but for a delimiter that it has only the first bytes of.
  const std::size_t overlap = options_->delimiter.size() - 1;
  scan_ = carry_.size() - std::min(carry_.size(), overlap);
}

const char* LineFramer::FindDelimiter(const char* from, const char* end) const {
  const std::string& delimiter = options_->delimiter;
  if (delimiter.size() == 1)
    return static_cast<const char*>(
        std::memchr(from, delimiter[0], static_cast<std::size_t>(end - from)));
  for (;;) {
    const auto* at = static_cast<const char*>(
        ::memmem(from, static_cast<std::size_t>(end - from), delimiter.data(), delimiter.size()));
    if (at == nullptr) return nullptr;
    const auto offset = static_cast<std::uint64_t>(at - block_.data.get());
    if ((block_position_ + offset) % options_->unit == 0) return at;
    from = at + 1;
  }
}

bool LineFramer::Cut(EventBatch& batch, std::int64_t now_ns) {
  if (cursor_ >= filled_ && scan_ >= filled_) {
    KeepRest();
    return false;
  }
  const char* const data = block_.data.get();
  const std::size_t guess = std::min(options_->max_events, (filled_ - cursor_) / average_ + 1);
  std::size_t cut = 0;
  bool adopted = false;
  const std::size_t begin = cursor_;
  const std::size_t before = batch.size();
  const std::uint64_t line_start = line_start_;
  for (;;) {
    const char* const at = FindDelimiter(data + scan_, data + filled_);
    if (at == nullptr) {
      scan_ = filled_;
      break;
    }
    if (!adopted) {
      batch.Reserve(before + guess, 1);
      batch.arena.Adopt({block_.data, filled_});
      adopted = true;
    }
    const auto end = static_cast<std::size_t>(at - data);
    if (long_) {
      std::uint64_t original = block_position_ + end - line_start_;
      if (options_->delimiter == "\n" && end > 0 && data[end - 1] == '\r') --original;
      EmitLong(batch, now_ns, batch.arena.Copy(head_), original);
      long_ = false;
      head_.clear();
      head_.shrink_to_fit();
    } else {
      Emit(batch, now_ns, {data + cursor_, end - cursor_});
    }
    ++cut;
    cursor_ = scan_ = end + options_->delimiter.size();
    line_start_ = block_position_ + cursor_;
    if (batch.size() >= options_->max_events) break;
  }
  if (cut > 0) {
    average_ = std::max<std::size_t>(1, (cursor_ - begin) / cut);
    batch.bytes += line_start_ - line_start;
    Remember({data + begin, cursor_ - begin});
  }
  if (scan_ < filled_) return true;
  KeepRest();
  return false;
}

void LineFramer::KeepRest() {
  if (block_.data == nullptr) return;
  const std::string_view rest(block_.data.get() + cursor_, filled_ - cursor_);
  // One byte more than the limit may be the "\r" of a line that just fits.
  if (!long_ && rest.size() > options_->max_line_bytes + options_->delimiter.size()) {
    long_ = true;
    head_ = rest.substr(0, options_->max_line_bytes);
  }
  if (long_) {
    // Enough to find a delimiter that began here, and for before().
    const std::size_t keep = std::max(options_->delimiter.size(), kRecent);
    carry_ = rest.substr(rest.size() - std::min(rest.size(), keep));
  } else {
    carry_.assign(rest);
    if (carry_.empty()) carry_.shrink_to_fit();
  }
  block_ = {};
  filled_ = cursor_ = scan_ = 0;
}

void LineFramer::Remember(std::string_view bytes) {
  if (bytes.size() > kRecent) bytes.remove_prefix(bytes.size() - kRecent);
  const std::size_t keep = std::min(before_size_, kRecent - bytes.size());
  std::memmove(before_.data(), before_.data() + before_size_ - keep, keep);
  std::memcpy(before_.data() + keep, bytes.data(), bytes.size());
  before_size_ = keep + bytes.size();
}

std::string LineFramer::Recent() const {
  std::string recent(before());
  recent += std::string_view(carry_).substr(carry_.size() - std::min(carry_.size(), kRecent));
  return recent.size() > kRecent ? recent.substr(recent.size() - kRecent) : recent;
}

void LineFramer::Emit(EventBatch& batch, std::int64_t now_ns, std::string_view line) {
  if (line_start_ == 0 && options_->unit == 1 && line.starts_with(kByteOrderMark))
    line.remove_prefix(kByteOrderMark.size());
  if (!line.empty() && line.back() == '\r' && options_->delimiter == "\n") line.remove_suffix(1);
  if (line.size() > options_->max_line_bytes)
    return EmitLong(batch, now_ns, line.substr(0, options_->max_line_bytes), line.size());
  if (options_->transcode) {
    line = options_->transcode(line, batch.arena);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  }
  batch.Begin(line_start_, now_ns);
  batch.Append(Field::String(names::kMessage, line));
}

void LineFramer::EmitLong(EventBatch& batch, std::int64_t now_ns, std::string_view head,
                          std::uint64_t original_bytes) {
  if (options_->too_long == FramingOptions::TooLong::kDrop) {
    ++stats_.dropped;
    return;
  }
  ++stats_.truncated;
  if (options_->transcode) {
    head.remove_suffix(head.size() % options_->unit);
    head = options_->transcode(head, batch.arena);
  }
  batch.Begin(line_start_, now_ns);
  batch.Append(Field::String(names::kMessage, head));
  batch.Append(Field::Bool(kTruncated, true));
  batch.Append(Field::Int(kOriginalBytes, static_cast<std::int64_t>(original_bytes)));
}

void LineFramer::Finish(EventBatch& batch, std::int64_t now_ns) {
  if (line_start_ == position_) return;
  batch.bytes += position_ - line_start_;
  if (long_) {
    EmitLong(batch, now_ns, batch.arena.Copy(head_), position_ - line_start_);
    long_ = false;
    head_.clear();
  } else {
    Emit(batch, now_ns, batch.arena.Copy(carry_));
  }
  Remember(carry_);
  carry_.clear();
  line_start_ = position_;
}

}  // namespace millrace::agent
