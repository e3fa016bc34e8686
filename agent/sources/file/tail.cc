#include "agent/sources/file/tail.h"

#include "common/base/strings.h"

namespace millrace::agent {

// Lines of "<name> <value>"; a path may hold any byte but 0, so a newline in it is written "\n".
namespace {

std::string Escape(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\\')
      out += "\\\\";
    else
      out += c;
  }
  return out;
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size())
      out += text[++i] == 'n' ? '\n' : text[i];
    else
      out += text[i];
  }
  return out;
}

}  // namespace

std::string EncodeTailRecord(const TailRecord& r) {
  std::string out = "file " + std::to_string(r.file.device) + ' ' + std::to_string(r.file.inode) +
                    ' ' + std::to_string(r.file.birth_ns) + "\nfingerprint " +
                    std::to_string(r.fingerprint.length) + ' ' +
                    std::to_string(r.fingerprint.hash) + "\npath " + Escape(r.path);
  if (r.label != r.path) out += "\nlabel " + Escape(r.label);
  if (r.family != r.path) out += "\nfamily " + Escape(r.family);
  if (r.ignored) out += "\nignored";
  if (r.finished) out += "\nfinished";
  return out;
}

std::optional<TailRecord> DecodeTailRecord(std::string_view text) {
  TailRecord r;
  std::optional<std::string> label, family;
  bool file = false;
  for (const std::string_view line : Split(text, '\n')) {
    const auto blank = std::min(line.find(' '), line.size());
    const std::string_view name = line.substr(0, blank);
    const std::string_view value = line.substr(std::min(blank + 1, line.size()));
    if (name == "path") {
      r.path = Unescape(value);
    } else if (name == "label") {
      label = Unescape(value);
    } else if (name == "family") {
      family = Unescape(value);
    } else if (name == "ignored") {
      r.ignored = true;
    } else if (name == "finished") {
      r.finished = true;
    } else if (name == "file") {
      const auto words = Split(value, ' ');
      if (words.size() != 3) return std::nullopt;
      const auto device = ParseNumber<std::uint64_t>(words[0]);
      const auto inode = ParseNumber<std::uint64_t>(words[1]);
      const auto birth = ParseNumber<std::int64_t>(words[2]);
      if (!device || !inode || !birth) return std::nullopt;
      r.file = {*device, *inode, *birth};
      file = true;
    } else if (name == "fingerprint") {
      const auto words = Split(value, ' ');
      if (words.size() != 2) return std::nullopt;
      const auto length = ParseNumber<std::uint32_t>(words[0]);
      const auto hash = ParseNumber<std::uint64_t>(words[1]);
      if (!length || !hash || *length > kMaxFingerprintBytes) return std::nullopt;
      r.fingerprint = {*length, *hash};
    }  // else: of a newer version that still writes what we need
  }
  if (!file || r.path.empty() || r.path.front() != '/') return std::nullopt;
  r.label = label.value_or(r.path);
  r.family = family.value_or(r.path);
  if (r.family.empty() || r.family.front() != '/') return std::nullopt;
  return r;
}

}  // namespace millrace::agent
