#include "agent/sources/file/charset.h"

#include <array>
#include <cerrno>

#include <iconv.h>

#include "common/base/strings.h"

namespace millrace::agent {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd", kByteOrderMark = "\xef\xbb\xbf";
const iconv_t kNone = reinterpret_cast<iconv_t>(-1);  // NOLINT: iconv's own error value

/// A name without byte order means "look at the mark"; lines in the middle of a file have none.
std::string WithOrder(const std::string& name) {
  const std::string lower = ToLower(name);
  if (lower == "utf-16" || lower == "utf16") return "utf-16le";
  if (lower == "utf-32" || lower == "utf32") return "utf-32le";
  return name;
}

}  // namespace

bool Charset::Known(const std::string& name) {
  const iconv_t cd = ::iconv_open("UTF-8", WithOrder(name).c_str());
  if (cd == kNone) return false;
  ::iconv_close(cd);
  return true;
}

Result<std::shared_ptr<Charset>> Charset::Open(const std::string& name) {
  const std::string exact = WithOrder(name);
  const iconv_t decoder = ::iconv_open("UTF-8", exact.c_str());
  if (decoder == kNone)
    return Fail(ErrorCode::kInvalidArgument, "iconv does not know \"" + name + "\"");
  const iconv_t encoder = ::iconv_open(exact.c_str(), "UTF-8");
  if (encoder == kNone) {
    ::iconv_close(decoder);
    return Fail(ErrorCode::kInvalidArgument, "iconv cannot write \"" + name + "\"");
  }
  std::shared_ptr<Charset> charset(new Charset(decoder, encoder));
  MILLRACE_ASSIGN(const std::string newline, charset->Encode("\n"));
  charset->unit_ = newline.size();
  return charset;
}

Charset::~Charset() {
  ::iconv_close(decoder_);
  ::iconv_close(encoder_);
}

std::string_view Charset::Decode(std::string_view bytes, Arena& arena) {
  // No character set makes more than three bytes of UTF-8 from one byte.
  const std::size_t room = bytes.size() * 3 + 4;
  char* const start = arena.Allocate(room);
  char* out = start;
  std::size_t out_left = room;
  char* in = const_cast<char*>(bytes.data());  // iconv's signature; it does not write there
  std::size_t in_left = bytes.size();
  ::iconv(decoder_, nullptr, nullptr, nullptr, nullptr);
  while (in_left > 0 &&
         ::iconv(decoder_, &in, &in_left, &out, &out_left) == static_cast<std::size_t>(-1)) {
    if (errno == E2BIG || out_left < kReplacement.size()) break;
    std::memcpy(out, kReplacement.data(), kReplacement.size());
    out += kReplacement.size();
    out_left -= kReplacement.size();
    const std::size_t skip = std::min(unit_, in_left);
    in += skip;
    in_left -= skip;
    if (errno == EINVAL) break;
  }
  arena.Shrink(start, room, room - out_left);
  std::string_view text(start, room - out_left);
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

Result<std::string> Charset::Encode(std::string_view text) const {
  std::string out(text.size() * 4 + 16, '\0');
  char* in = const_cast<char*>(text.data());
  std::size_t in_left = text.size(), out_left = out.size();
  char* to = out.data();
  ::iconv(encoder_, nullptr, nullptr, nullptr, nullptr);
  if (::iconv(encoder_, &in, &in_left, &to, &out_left) == static_cast<std::size_t>(-1))
    return Fail(ErrorCode::kInvalidArgument, "the line delimiter does not exist in the charset");
  out.resize(out.size() - out_left);
  return out;
}

}  // namespace millrace::agent
