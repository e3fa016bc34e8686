#include "common/http/request_parser.h"

#include <algorithm>
#include <array>

#include "common/base/strings.h"

namespace millrace::http {

namespace {

using State = ParseOutcome::State;

constexpr ParseOutcome Bad(int status = 400, const char* reason = "Bad Request") {
  return {State::kBad, status, reason};
}

/// tchar of RFC 9110, section 5.6.2.
constexpr std::array<bool, 256> kToken = [] {
  std::array<bool, 256> t{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    t[static_cast<unsigned char>(c)] = true;
  return t;
}();

bool IsToken(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(),
                                   [](char c) { return kToken[static_cast<unsigned char>(c)]; });
}

bool IsFieldValue(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u == '\t' || (u >= 0x20 && u != 0x7f);
  });
}

/// Position behind the blank line that ends the head, or npos.
std::size_t FindHeadEnd(std::string_view b, std::size_t from) {
  for (std::size_t at = b.find('\n', from); at != std::string_view::npos;
       at = b.find('\n', at + 1)) {
    if (at + 1 < b.size() && b[at + 1] == '\n') return at + 2;
    if (at + 2 < b.size() && b[at + 1] == '\r' && b[at + 2] == '\n') return at + 3;
  }
  return std::string_view::npos;
}

/// Cuts one line off, without its end.
std::string_view TakeLine(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

/// Calls f(element) for each element of a comma separated list.
template <class F>
void EachElement(std::string_view list, F f) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    f(Trim(list.substr(0, comma)));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

ParseOutcome ParseRequestLine(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return Bad();
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!IsToken(head.method) || head.target.empty()) return Bad();
  for (const char c : head.target)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return Bad();
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.') return Bad();
  if (version[5] < '0' || version[5] > '9' || version[7] < '0' || version[7] > '9') return Bad();
  if (version[5] != '1' || version[7] > '1')
    return Bad(505, "HTTP Version Not Supported: unsupported protocol version");
  head.minor_version = version[7] - '0';
  return {State::kDone};
}

/// The fields that frame the message.
ParseOutcome ReadFraming(RequestHead& head) {
  int hosts = 0;
  bool has_length = false, has_coding = false, close = false, keep = false;
  for (const HeaderField& f : head.fields) {
    if (EqualsIgnoreCase(f.name, "host")) {
      if (++hosts > 1) return Bad();
    } else if (EqualsIgnoreCase(f.name, "content-length")) {
      const auto length = ParseNumber<std::uint64_t>(f.value);
      if (!length || (has_length && *length != head.content_length)) return Bad();
      has_length = true;
      head.content_length = *length;
    } else if (EqualsIgnoreCase(f.name, "transfer-encoding")) {
      if (has_coding || !EqualsIgnoreCase(f.value, "chunked")) return Bad(501, "Not Implemented");
      has_coding = head.chunked = true;
    } else if (EqualsIgnoreCase(f.name, "connection")) {
      EachElement(f.value, [&](std::string_view e) {
        close |= EqualsIgnoreCase(e, "close");
        keep |= EqualsIgnoreCase(e, "keep-alive");
      });
    } else if (EqualsIgnoreCase(f.name, "expect")) {
      if (!EqualsIgnoreCase(f.value, "100-continue")) return Bad(417, "Expectation Failed");
      head.expect_continue = head.minor_version >= 1;
    }
  }
  if (has_length && has_coding) return Bad();
  if (head.minor_version >= 1 && hosts == 0)
    return Bad(400, "Bad Request: missing required Host header");
  head.keep_alive = head.minor_version >= 1 ? !close : keep && !close;
  return {State::kDone};
}

}  // namespace

void RequestHead::Clear() {
  method = target = {};
  minor_version = 1;
  fields.clear();
  keep_alive = true;
  chunked = expect_continue = false;
  content_length = 0;
  size = 0;
}

std::string_view RequestHead::Find(std::string_view name) const {
  for (const HeaderField& f : fields)
    if (EqualsIgnoreCase(f.name, name)) return f.value;
  return {};
}

ParseOutcome ParseHead(std::string_view buffer, const ParseLimits& limits, std::size_t& scanned,
                       RequestHead& head) {
  std::size_t skipped = 0;  // RFC 9112, 2.2: empty lines before the request line are ignored.
  while (skipped < 4 && skipped < buffer.size() &&
         (buffer[skipped] == '\r' || buffer[skipped] == '\n'))
    ++skipped;
  // A TLS hello, say: no line end may ever come.
  if (skipped < buffer.size() && !kToken[static_cast<unsigned char>(buffer[skipped])]) return Bad();
  const std::size_t end = FindHeadEnd(buffer, std::max(scanned, skipped));
  if (end == std::string_view::npos || end > limits.head_bytes) {
    if (end != std::string_view::npos || buffer.size() > limits.head_bytes)
      return Bad(431, "Request Header Fields Too Large");
    // The blank line may be split over two reads.
    scanned = buffer.size() > 3 ? buffer.size() - 3 : 0;
    return {};
  }
  head.Clear();
  head.size = end;
  std::string_view rest = buffer.substr(skipped, end - skipped);
  if (const auto r = ParseRequestLine(TakeLine(rest), head); r.state != State::kDone) return r;
  for (;;) {
    const std::string_view line = TakeLine(rest);
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return Bad();
    const HeaderField field{line.substr(0, colon), Trim(line.substr(colon + 1))};
    if (!IsToken(field.name) || !IsFieldValue(field.value)) return Bad();
    if (head.fields.size() >= limits.fields) return Bad(431, "Request Header Fields Too Large");
    head.fields.push_back(field);
  }
  return ReadFraming(head);
}

ParseOutcome ChunkedDecoder::Feed(std::string_view input, std::size_t limit, std::string& body,
                                  std::size_t& used) {
  used = 0;
  while (used < input.size()) {
    const char c = input[used];
    if (state_ != State::kData && ++overhead_ > 16384) return Bad();
    switch (state_) {
      case State::kSize: {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit >= 0) {
          if (++digits_ > 8) return Bad();
          left_ = left_ * 16 + static_cast<unsigned>(digit);
        } else {
          if (digits_ == 0 || (c != ';' && c != '\r' && c != '\n' && c != ' ' && c != '\t'))
            return Bad();
          if (left_ > limit || body.size() + left_ > limit)
            return Bad(413, "Request Entity Too Large");
          state_ = State::kExtension;
          continue;  // the same byte may end the line
        }
        break;
      }
      case State::kExtension:
        if (c == '\n') {
          digits_ = 0;
          line_ = 0;
          state_ = left_ == 0 ? State::kTrailer : State::kData;
        }
        break;
      case State::kData: {
        const std::size_t n = std::min<std::size_t>(left_, input.size() - used);
        body.append(input.substr(used, n));
        used += n;
        left_ -= n;
        if (left_ == 0) state_ = State::kDataEnd;
        continue;
      }
      case State::kDataEnd:
        if (c == '\n')
          state_ = State::kSize;
        else if (c != '\r')
          return Bad();
        break;
      case State::kTrailer:
        if (c == '\n') {
          if (line_ == 0) {
            ++used;
            return {ParseOutcome::State::kDone};
          }
          line_ = 0;
        } else if (c != '\r') {
          ++line_;
        }
        break;
    }
    ++used;
  }
  return {};
}

bool PercentDecode(std::string_view text, bool plus_is_space, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return false;
      const auto value = ParseNumber<unsigned>(text.substr(i + 1, 2), 16);
      if (!value) return false;
      out += static_cast<char>(*value);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return true;
}

std::string CleanPath(std::string_view path) {
  std::vector<std::string_view> parts;
  for (const std::string_view part : Split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) (out += '/') += part;
  const bool slash = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
  if (out.empty() || slash) out += '/';
  return out;
}

}  // namespace millrace::http
