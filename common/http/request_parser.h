#pragma once
// HTTP/1.x request heads and chunked bodies (RFC 9112), pure functions over bytes that have
// arrived. Strict where leniency is a known attack (two Hosts, white space before a colon, folded
// lines, Content-Length beside Transfer-Encoding), tolerant of a bare LF as line end.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::http {

struct HeaderField {
  std::string_view name, value;
};

/// Views into the buffer that was parsed.
struct RequestHead {
  std::string_view method, target;
  int minor_version = 1;  ///< HTTP/1.0 or HTTP/1.1.
  std::vector<HeaderField> fields;
  bool keep_alive = true;
  bool chunked = false;
  bool expect_continue = false;
  std::uint64_t content_length = 0;
  std::size_t size = 0;  ///< Bytes of the head, the blank line included.

  void Clear();
  /// The first field of that name, or "". Case is ignored.
  [[nodiscard]] std::string_view Find(std::string_view name) const;
};

struct ParseLimits {
  std::size_t head_bytes = std::size_t{64} << 10;
  std::size_t fields = 200;
};

/// What became of the bytes so far.
struct ParseOutcome {
  enum class State : unsigned char { kMore, kDone, kBad } state = State::kMore;
  int status = 0;           ///< The answer to a bad request: 400, 431, 501 or 505.
  const char* reason = "";  ///< Its reason phrase.
};

/// `scanned` remembers where the search for the blank line goes on; 0 for a new request.
[[nodiscard]] ParseOutcome ParseHead(std::string_view buffer, const ParseLimits& limits,
                                     std::size_t& scanned, RequestHead& head);

/// A chunked body, bytes at a time.
class ChunkedDecoder {
 public:
  /// Takes bytes from the front of `input` and appends the content to `body`, at most `limit` bytes
  /// in all (then kBad with 413). `used` = bytes taken.
  [[nodiscard]] ParseOutcome Feed(std::string_view input, std::size_t limit, std::string& body,
                                  std::size_t& used);

 private:
  enum class State : unsigned char { kSize, kExtension, kData, kDataEnd, kTrailer } state_{};
  std::uint64_t left_ = 0;
  unsigned digits_ = 0;
  std::size_t overhead_ = 0;  ///< Bytes that are not content; bounded.
  std::size_t line_ = 0;      ///< Length of the current trailer line.
};

/// %XX decoded; a broken escape makes it fail.
[[nodiscard]] bool PercentDecode(std::string_view text, bool plus_is_space, std::string& out);
/// "/a//b/../c" -> "/a/c"; a trailing slash stays.
[[nodiscard]] std::string CleanPath(std::string_view path);

}  // namespace millrace::http
