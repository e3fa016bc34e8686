#pragma once
// Text for log lines and JSON, written into fixed or growing buffers.
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::app_metrics {

/// A line of bounded length: what does not fit is left out, never half an escape.
class LineBuffer {
 public:
  void Clear() { size_ = 0; }
  [[nodiscard]] std::string_view view() const { return {data_.data(), size_}; }
  [[nodiscard]] std::size_t room() const { return data_.size() - size_; }
  void Put(std::string_view s) {
    if (s.size() > room()) return;
    std::memcpy(data_.data() + size_, s.data(), s.size());
    size_ += s.size();
  }
  void Put(char c) {
    if (room() > 0) data_[size_++] = c;
  }
  void PutUnsigned(std::uint64_t n) {
    if (room() >= 20)
      size_ = static_cast<std::size_t>(
          std::to_chars(data_.data() + size_, data_.data() + data_.size(), n).ptr - data_.data());
  }
  /// Escaped as in a JSON string, without the quotes; what is not UTF-8 becomes U+FFFD. At most
  /// `limit` bytes of output.
  void PutEscaped(std::string_view s, std::size_t limit);
  /// Bare when nothing needs quotes, else quoted and escaped.
  void PutLogfmtValue(std::string_view s, std::size_t limit);

 private:
  std::array<char, 8192> data_;
  std::size_t size_ = 0;
};

/// With quotes; what is not UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view s);

/// Length of the UTF-8 sequence at the start of `s` (1..4), or 0 when there is none.
[[nodiscard]] std::size_t Utf8Length(std::string_view s);

/// "2026-11-22T20:47:44.123Z", from milliseconds since 1970; 24 bytes.
void WriteTime(char* out, std::int64_t unix_ms);

}  // namespace millrace::app_metrics
