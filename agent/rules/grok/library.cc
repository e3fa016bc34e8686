#include "agent/rules/grok/library.h"

#include <algorithm>

#include "agent/rules/patterns/patterns.h"
#include "common/base/strings.h"

namespace millrace::agent {

Status PatternLibrary::AddText(std::string_view text) {
  std::size_t number = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++number;
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    const std::size_t blank = line.find_first_of(" \t");
    const std::string_view name = line.substr(0, blank);
    const bool word = std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (blank == std::string_view::npos || !word)
      return Fail(ErrorCode::kParse,
                  "line " + std::to_string(number) + ": a pattern is written NAME pattern");
    std::string_view body = line.substr(blank);
    while (!body.empty() && (body.front() == ' ' || body.front() == '\t')) body.remove_prefix(1);
    Add(name, body);
  }
  return {};
}

void PatternLibrary::Add(std::string_view name, std::string_view pattern) {
  patterns_.insert_or_assign(std::string(name), std::string(pattern));
}

const std::string* PatternLibrary::Find(std::string_view name) const {
  const auto it = patterns_.find(name);
  return it == patterns_.end() ? nullptr : &it->second;
}

const PatternLibrary& PatternLibrary::BuiltIn(GrokNames names) {
  static const auto make = [](GrokNames which) {
    auto* library = new PatternLibrary();
    for (const std::string_view text : patterns::Texts(which)) {
      // A fault in our own text is found by the unit test that compiles every pattern.
      static_cast<void>(library->AddText(text));
    }
    return library;
  };
  static const PatternLibrary* const legacy = make(GrokNames::kLegacy);
  static const PatternLibrary* const ecs = make(GrokNames::kEcs);
  return names == GrokNames::kLegacy ? *legacy : *ecs;
}

}  // namespace millrace::agent
