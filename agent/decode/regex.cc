#include "agent/decode/regex.h"

#include <algorithm>
#include <optional>

#include <re2/re2.h>

#include "agent/core/name.h"

namespace millrace::agent {

struct RegexDecoder::Pattern {
  struct Group {
    std::string_view name;  ///< Empty: not captured by name.
    std::optional<Conversion> conversion;
  };
  explicit Pattern(const std::string& text, const RE2::Options& options) : re(text, options) {}
  RE2 re;
  std::vector<Group> groups;  ///< Of number 1, 2, ...; up to the last one with a name.
};

RegexDecoder::RegexDecoder() = default;
RegexDecoder::~RegexDecoder() = default;

Result<std::shared_ptr<const RegexDecoder>> RegexDecoder::Make(
    const std::vector<std::string>& patterns, const std::map<std::string, std::string>& types,
    std::shared_ptr<const time::Zone> zone) {
  const std::shared_ptr<RegexDecoder> decoder(new RegexDecoder());
  std::map<std::string, bool> used;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(64 << 20);
  for (const std::string& text : patterns) {
    auto pattern = std::make_unique<Pattern>(text, options);
    if (!pattern->re.ok())
      return Fail(ErrorCode::kInvalidArgument, "pattern does not compile: " + pattern->re.error());
    if (pattern->re.NamedCapturingGroups().empty())
      return Fail(ErrorCode::kInvalidArgument,
                  "pattern has no named capture, such as (?P<status>\\d+)");
    for (const auto& [number, name] : pattern->re.CapturingGroupNames()) {
      pattern->groups.resize(std::max(pattern->groups.size(), static_cast<std::size_t>(number)));
      Pattern::Group& group = pattern->groups[static_cast<std::size_t>(number) - 1];
      group.name = InternName(name);
      used[name] = true;
      const auto type = types.find(name);
      if (type == types.end()) continue;
      MILLRACE_ASSIGN(Conversion conversion, Conversion::Parse(type->second, zone));
      if (!conversion.is_string()) group.conversion = std::move(conversion);
    }
    decoder->patterns_.push_back(std::move(pattern));
  }
  for (const auto& [name, type] : types)
    if (!used.contains(name))
      return Fail(ErrorCode::kInvalidArgument, "types: no pattern captures \"" + name + "\"");
  return decoder;
}

const char* RegexDecoder::Decode(std::string_view text, Arena& arena, Decoded& out) const {
  thread_local std::vector<re2::StringPiece> captures;
  for (const auto& pattern : patterns_) {
    captures.resize(pattern->groups.size() + 1);
    if (!pattern->re.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(),
                           RE2::UNANCHORED, captures.data(), static_cast<int>(captures.size())))
      continue;
    for (std::size_t i = 0; i < pattern->groups.size(); ++i) {
      const Pattern::Group& group = pattern->groups[i];
      const re2::StringPiece& found = captures[i + 1];
      if (group.name.empty() || found.data() == nullptr) continue;
      const std::string_view piece(found.data(), found.size());
      if (!group.conversion) {
        out.Add(group.name, piece);
        continue;
      }
      const Value value = group.conversion->Apply(Value::Text(piece), arena);
      if (!value.present) return "a capture does not have its type";
      out.fields.push_back(value.Named(group.name));
    }
    return nullptr;
  }
  return "no pattern matches";
}

}  // namespace millrace::agent
