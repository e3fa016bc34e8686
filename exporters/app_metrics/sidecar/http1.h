#pragma once
// HTTP/1.x as a proxy sees it (RFC 9110, 9112): heads that are rewritten, bodies that are only
// followed to their end. Requests are parsed by common/http.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/request_parser.h"

namespace millrace::app_metrics::sidecar {

struct ResponseHead {
  int status = 0;
  int minor_version = 1;
  std::string_view reason;
  std::vector<http::HeaderField> fields;
  bool chunked = false, close = false;
  std::optional<std::uint64_t> content_length;
  std::size_t size = 0;  ///< Bytes of the head, the blank line included.
};
enum class HeadState : unsigned char { kMore, kDone, kBad };
/// At most 32 KiB and 200 fields.
[[nodiscard]] HeadState ParseResponseHead(std::string_view buffer, ResponseHead& head);

/// True for fields that end at the next hop (RFC 9110, 7.6.1), those that `connection` names
/// included.
[[nodiscard]] bool IsHopByHop(std::string_view name, std::string_view connection);
/// True when the list `connection` has `token`.
[[nodiscard]] bool HasToken(std::string_view list, std::string_view token);

/// Follows a body to its end and passes it on.
class BodyFollower {
 public:
  enum class Kind : unsigned char { kNone, kLength, kChunked, kUntilClose };
  void Reset(Kind kind, std::uint64_t length = 0);
  /// Takes bytes from the front of `in`; appends them to `out`, with `unchunk` only the content of
  /// chunks. Returns the bytes taken; stops at the end of the body and when `out` has `limit`.
  std::size_t Feed(std::string_view in, std::size_t limit, bool unchunk, std::string& out);
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] bool bad() const { return bad_; }
  [[nodiscard]] Kind kind() const { return kind_; }
  /// Bytes of content so far.
  [[nodiscard]] std::uint64_t content() const { return content_; }

 private:
  enum class Chunk : unsigned char { kSize, kExtension, kData, kDataEnd, kTrailer };
  void FeedControl(char c);
  Kind kind_ = Kind::kNone;
  Chunk chunk_ = Chunk::kSize;
  bool done_ = true, bad_ = false;
  std::uint64_t left_ = 0, content_ = 0;
  unsigned digits_ = 0;
  std::size_t line_ = 0;      ///< Bytes of the current trailer line.
  std::size_t overhead_ = 0;  ///< Of trailers and extensions; bounded.
};

}  // namespace millrace::app_metrics::sidecar
