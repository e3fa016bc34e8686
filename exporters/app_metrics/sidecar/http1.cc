#include "exporters/app_metrics/sidecar/http1.h"

#include <algorithm>
#include <array>

#include "common/base/strings.h"

namespace millrace::app_metrics::sidecar {
namespace {

constexpr std::size_t kMaxHead = std::size_t{32} << 10, kMaxFields = 200, kMaxOverhead = 64 << 10;

std::string_view CutLine(std::string_view& rest) {
  const auto end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

bool ParseStatusLine(std::string_view line, ResponseHead& head) {
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') return false;
  if (line[7] != '0' && line[7] != '1') return false;
  head.minor_version = line[7] - '0';
  const auto status = ParseNumber<int>(line.substr(9, 3));
  if (!status || *status < 100 || *status > 999) return false;
  if (line.size() > 12 && line[12] != ' ') return false;
  head.status = *status;
  head.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  return true;
}

bool TakeField(std::string_view line, ResponseHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view name = line.substr(0, colon), value = Trim(line.substr(colon + 1));
  for (const char c : name)
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return false;
  for (const char c : value)
    if (c == '\r' || c == '\0') return false;
  head.fields.push_back({name, value});
  if (EqualsIgnoreCase(name, "content-length")) {
    const auto n = ParseNumber<std::uint64_t>(value);
    if (!n || (head.content_length && *head.content_length != *n)) return false;
    head.content_length = n;
  } else if (EqualsIgnoreCase(name, "transfer-encoding")) {
    // Anything but a single "chunked" has an end that we could not find.
    if (!EqualsIgnoreCase(value, "chunked") || head.chunked) return false;
    head.chunked = true;
  } else if (EqualsIgnoreCase(name, "connection")) {
    head.close |= HasToken(value, "close");
  }
  return true;
}

}  // namespace

HeadState ParseResponseHead(std::string_view buffer, ResponseHead& head) {
  head = {};
  std::size_t end = buffer.find("\r\n\r\n");
  std::size_t blank = 4;
  if (const auto bare = buffer.find("\n\n"); bare < end) {
    end = bare;
    blank = 2;
  }
  if (end == std::string_view::npos)
    return buffer.size() > kMaxHead ? HeadState::kBad : HeadState::kMore;
  head.size = end + blank;
  std::string_view rest = buffer.substr(0, head.size - (blank == 4 ? 2 : 1));
  if (!ParseStatusLine(CutLine(rest), head)) return HeadState::kBad;
  while (!rest.empty()) {
    if (head.fields.size() >= kMaxFields || !TakeField(CutLine(rest), head)) return HeadState::kBad;
  }
  if (head.minor_version == 0) head.close = true;
  if (head.chunked) head.content_length.reset();
  return HeadState::kDone;
}

bool HasToken(std::string_view list, std::string_view token) {
  for (const std::string_view item : Split(list, ','))
    if (EqualsIgnoreCase(Trim(item), token)) return true;
  return false;
}

bool IsHopByHop(std::string_view name, std::string_view connection) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "connection", "keep-alive",          "proxy-connection", "proxy-authenticate",
      "te",         "proxy-authorization", "upgrade"};
  for (const std::string_view n : kNames)
    if (EqualsIgnoreCase(name, n)) return true;
  // Framing stays: the body is passed on as it is framed.
  if (EqualsIgnoreCase(name, "transfer-encoding") || EqualsIgnoreCase(name, "content-length") ||
      EqualsIgnoreCase(name, "host"))
    return false;
  return !connection.empty() && HasToken(connection, name);
}

void BodyFollower::Reset(Kind kind, std::uint64_t length) {
  *this = {};
  kind_ = kind;
  left_ = kind == Kind::kLength ? length : 0;
  done_ = kind == Kind::kNone || (kind == Kind::kLength && length == 0);
}

// One byte of a chunk's size line, of the line break behind its data, or of the trailers.
void BodyFollower::FeedControl(char c) {
  if (++overhead_ > kMaxOverhead && chunk_ != Chunk::kSize) bad_ = true;
  switch (chunk_) {
    case Chunk::kSize: {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit >= 0) {
        if (++digits_ > 15) bad_ = true;
        left_ = left_ << 4 | static_cast<unsigned>(digit);
        return;
      }
      if (digits_ == 0) {
        bad_ = true;
        return;
      }
      chunk_ = Chunk::kExtension;
      [[fallthrough]];
    }
    case Chunk::kExtension:
      if (c != '\n') return;
      digits_ = 0;
      line_ = 0;
      chunk_ = left_ > 0 ? Chunk::kData : Chunk::kTrailer;
      return;
    case Chunk::kDataEnd:
      if (c == '\r') return;
      if (c != '\n') bad_ = true;
      chunk_ = Chunk::kSize;
      overhead_ = 0;
      return;
    case Chunk::kTrailer:
      if (c == '\r') return;
      if (c != '\n') {
        ++line_;
        return;
      }
      done_ = line_ == 0;
      line_ = 0;
      return;
    case Chunk::kData:
      return;
  }
}

std::size_t BodyFollower::Feed(std::string_view in, std::size_t limit, bool unchunk,
                               std::string& out) {
  std::size_t taken = 0;
  while (!done_ && !bad_ && taken < in.size() && out.size() < limit) {
    const std::string_view rest = in.substr(taken);
    if (kind_ == Kind::kChunked && chunk_ != Chunk::kData) {
      FeedControl(rest[0]);
      if (!unchunk && !bad_) out += rest[0];
      ++taken;
      continue;
    }
    std::size_t n = std::min(rest.size(), limit - out.size());
    if (kind_ != Kind::kUntilClose) n = static_cast<std::size_t>(std::min<std::uint64_t>(n, left_));
    out.append(rest.substr(0, n));
    taken += n;
    content_ += n;
    if (kind_ == Kind::kUntilClose) continue;
    left_ -= n;
    if (left_ > 0) continue;
    if (kind_ == Kind::kLength)
      done_ = true;
    else
      chunk_ = Chunk::kDataEnd;
  }
  return taken;
}

}  // namespace millrace::app_metrics::sidecar
