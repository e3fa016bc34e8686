// The text log of a CheckpointStore: escaping, checksums, parsing.
#include "agent/checkpoints/log.h"

#include <array>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/strings.h"

namespace millrace::agent {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

void AppendHex(std::string& out, std::uint64_t v) {
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[v >> shift & 15];
}

/// Blank-free and never empty: every other byte than printable ASCII becomes %xx.
void AppendEscaped(std::string& out, std::string_view text) {
  if (text.empty()) out += '%';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f || c == '%') {
      out += {'%', kHex[u >> 4], kHex[u & 15]};
    } else {
      out += c;
    }
  }
}

std::optional<std::string> Unescape(std::string_view text) {
  if (text == "%") return std::string();
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto byte = ParseNumber<unsigned char>(text.substr(i + 1, 2), 16);
    if (!byte || text.size() - i < 3) return std::nullopt;
    out += static_cast<char>(*byte);
    i += 2;
  }
  return out;
}

void EndLine(std::string& out, std::size_t start) {
  const std::uint64_t check = XXH3_64bits(out.data() + start, out.size() - start);
  out += ' ';
  AppendHex(out, check);
  out += '\n';
}

std::optional<CheckpointLine> ParseLine(std::string_view line) {
  const auto blank = line.rfind(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const auto check = ParseNumber<std::uint64_t>(line.substr(blank + 1), 16);
  line = line.substr(0, blank);
  if (!check || *check != XXH3_64bits(line.data(), line.size())) return std::nullopt;
  const std::vector<std::string_view> words = Split(line, ' ');
  CheckpointLine out;
  if (words.size() == 2 && words[0] == "-") {
    auto key = Unescape(words[1]);
    if (!key) return std::nullopt;
    out.kind = CheckpointLine::Kind::kRemove;
    out.record.key = std::move(*key);
    return out;
  }
  if (words.size() != 6 || words[0] != "+") return std::nullopt;
  const auto slot = ParseNumber<std::uint32_t>(words[1]);
  const auto position = ParseNumber<std::uint64_t>(words[2]);
  const auto note = ParseNumber<std::uint64_t>(words[3], 16);
  auto key = Unescape(words[4]);
  auto detail = Unescape(words[5]);
  if (!slot || !position || !note || !key || !detail) return std::nullopt;
  out.slot = *slot;
  out.record = {std::move(*key), std::move(*detail), {*position, *note}};
  return out;
}

}  // namespace

void AppendHeader(std::string& out, std::int64_t created_ns) {
  out += kCheckpointMagic;
  out += " 1 ";
  out += std::to_string(created_ns);
  out += '\n';
}

void AppendPutLine(std::string& out, std::uint32_t slot, const AckTracker::Mark& mark,
                   std::string_view key, std::string_view detail) {
  const std::size_t start = out.size();
  out += "+ ";
  out += std::to_string(slot);
  out += ' ';
  out += std::to_string(mark.position);
  out += ' ';
  AppendHex(out, mark.note);
  out += ' ';
  AppendEscaped(out, key);
  out += ' ';
  AppendEscaped(out, detail);
  EndLine(out, start);
}

void AppendRemoveLine(std::string& out, std::string_view key) {
  const std::size_t start = out.size();
  out += "- ";
  AppendEscaped(out, key);
  EndLine(out, start);
}

std::uint64_t CheckpointTag(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

void EncodeSlot(char* out, std::uint64_t tag, const AckTracker::Mark& mark) {
  std::array<std::uint64_t, 4> words = {tag, mark.position, mark.note, 0};
  words[3] = XXH3_64bits(words.data(), 24);
  std::memcpy(out, words.data(), kSlotSize);
}

std::optional<AckTracker::Mark> DecodeSlot(const char* in, std::uint64_t tag) {
  std::array<std::uint64_t, 4> words{};
  std::memcpy(words.data(), in, kSlotSize);
  if (words[0] != tag || words[3] != XXH3_64bits(words.data(), 24)) return std::nullopt;
  return AckTracker::Mark{words[1], words[2]};
}

Result<CheckpointLog> ParseCheckpointLog(std::string_view text) {
  CheckpointLog log;
  const auto header_end = text.find('\n');
  const std::vector<std::string_view> header =
      Split(text.substr(0, std::min(header_end, text.size())), ' ');
  if (header_end == std::string_view::npos || header.size() < 3 || header[0] != kCheckpointMagic)
    return Fail(ErrorCode::kParse, "not a checkpoint file");
  const auto version = ParseNumber<std::uint32_t>(header[1]);
  const auto created = ParseNumber<std::int64_t>(header[2]);
  if (version && *version > 1)
    return Fail(ErrorCode::kInvalidArgument,
                "checkpoints of version " + std::string(header[1]) +
                    ", written by a newer millrace-agent; this one knows version 1");
  if (!version || *version != 1 || !created) return Fail(ErrorCode::kParse, "damaged header");
  log.created_ns = *created;
  text.remove_prefix(header_end + 1);
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = end == std::string_view::npos ? std::nullopt : ParseLine(text.substr(0, end));
    if (line)
      log.lines.push_back(std::move(*line));
    else
      ++log.damaged;
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return log;
}

}  // namespace millrace::agent
