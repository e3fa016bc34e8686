#include "agent/sources/file/glob.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <dirent.h>
#include <sys/stat.h>

#include "common/base/strings.h"

namespace millrace::agent {
namespace {

constexpr std::size_t kMaxAlternatives = 1000;
constexpr std::size_t kMaxDepth = 64;

/// Matches one `[...]` at pattern[p]; sets `next` behind it. An unclosed one is a literal '['.
bool MatchClass(std::string_view pattern, std::size_t p, char c, std::size_t& next) {
  std::size_t i = p + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool hit = false;
  const std::size_t first = i;
  for (; i < pattern.size() && (pattern[i] != ']' || i == first); ++i) {
    char low = pattern[i];
    if (low == '\\' && i + 1 < pattern.size()) low = pattern[++i];
    char high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      high = pattern[i + 2];
      i += 2;
    }
    hit = hit || (low <= c && c <= high);
  }
  if (i >= pattern.size()) {
    next = p + 1;
    return c == '[';
  }
  next = i + 1;
  return hit != negated && c != '/';
}

/// One component, no '/' in it; linear but for one place to go back to.
bool MatchComponent(std::string_view pattern, std::string_view text) {
  // As in a shell, a leading dot is matched by a dot only.
  if (text.starts_with('.') && !pattern.starts_with('.') && !pattern.starts_with("\\."))
    return false;
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    std::size_t next = p + 1;
    bool ok = false;
    if (p < pattern.size()) {
      if (pattern[p] == '*') {
        star = p++;
        mark = t;
        continue;
      }
      if (pattern[p] == '?') {
        ok = true;
      } else if (pattern[p] == '[') {
        ok = MatchClass(pattern, p, text[t], next);
      } else if (pattern[p] == '\\' && p + 1 < pattern.size()) {
        ok = pattern[p + 1] == text[t];
        next = p + 2;
      } else {
        ok = pattern[p] == text[t];
      }
    }
    if (ok) {
      p = next;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool MatchComponents(const std::vector<std::string_view>& pattern, std::size_t p,
                     const std::vector<std::string_view>& path, std::size_t t) {
  for (; p < pattern.size(); ++p, ++t) {
    if (pattern[p] == "**") {
      while (p + 1 < pattern.size() && pattern[p + 1] == "**") ++p;
      for (std::size_t skip = t; skip <= path.size(); ++skip) {
        if (MatchComponents(pattern, p + 1, path, skip)) return true;
        if (skip < path.size() && path[skip].starts_with('.')) return false;
      }
      return false;
    }
    if (t >= path.size() || !MatchComponent(pattern[p], path[t])) return false;
  }
  return t == path.size();
}

bool IsPattern(std::string_view component) {
  return component.find_first_of("*?[\\") != std::string_view::npos;
}

bool IsFolder(const std::string& path, bool follow) {
  struct stat st{};
  return (follow ? ::stat(path.c_str(), &st) : ::lstat(path.c_str(), &st)) == 0 &&
         S_ISDIR(st.st_mode);
}

std::vector<std::string> SubFolders(const std::string& path, bool follow) {
  std::vector<std::string> out;
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return out;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const bool may_be = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN ||
                        (follow && entry->d_type == DT_LNK);
    if (!may_be) continue;
    if (entry->d_type == DT_DIR || IsFolder(path + "/" + std::string(name), follow))
      out.emplace_back(name);
  }
  ::closedir(dir);
  return out;
}

struct Walker {
  std::set<std::string> folders, parents;

  /// `base` exists; components from `i` on are still to be matched, the last one is the file.
  void Go(const std::string& base, const std::vector<std::string_view>& pattern, std::size_t i,
          std::size_t depth) {
    if (depth > kMaxDepth) return;
    if (i + 1 >= pattern.size()) {
      folders.insert(base.empty() ? "/" : base);
      return;
    }
    const std::string_view c = pattern[i];
    if (c == "**") {
      // The pattern goes on here (no folder skipped) and in every folder below.
      Go(base, pattern, i + 1, depth);
      parents.insert(base.empty() ? "/" : base);
      for (const std::string& name : SubFolders(base.empty() ? "/" : base, false))
        if (!name.starts_with('.')) Go(base + "/" + name, pattern, i, depth + 1);
      return;
    }
    if (!IsPattern(c)) {
      const std::string next = base + "/" + std::string(c);
      if (IsFolder(next, true))
        Go(next, pattern, i + 1, depth + 1);
      else
        parents.insert(base.empty() ? "/" : base);
      return;
    }
    parents.insert(base.empty() ? "/" : base);
    for (const std::string& name : SubFolders(base.empty() ? "/" : base, true))
      if (MatchComponent(c, name)) Go(base + "/" + name, pattern, i + 1, depth + 1);
  }
};

Status AddPatterns(const std::vector<std::string>& from, std::vector<std::string>& to) {
  for (const std::string& pattern : from) {
    if (pattern.empty()) return Fail(ErrorCode::kInvalidArgument, "an empty pattern");
    std::error_code error;
    std::string whole = pattern;
    if (whole.front() != '/') whole = std::filesystem::current_path(error).string() + "/" + whole;
    MILLRACE_ASSIGN(std::vector<std::string> expanded, ExpandBraces(whole));
    for (std::string& e : expanded)
      to.push_back(std::filesystem::path(e).lexically_normal().string());
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> ExpandBraces(const std::string& pattern) {
  std::vector<std::string> done, open = {pattern};
  while (!open.empty()) {
    const std::string p = std::move(open.back());
    open.pop_back();
    std::size_t start = 0;
    while (start < p.size() && p[start] != '{') start += p[start] == '\\' ? 2 : 1;
    if (start >= p.size()) {
      done.push_back(p);
      continue;
    }
    std::vector<std::size_t> cuts = {start};
    std::size_t depth = 0, end = start;
    for (; end < p.size(); ++end) {
      if (p[end] == '\\')
        ++end;
      else if (p[end] == '{')
        ++depth;
      else if (p[end] == '}' && --depth == 0)
        break;
      else if (p[end] == ',' && depth == 1)
        cuts.push_back(end);
    }
    if (end >= p.size())
      return Fail(ErrorCode::kInvalidArgument, "\"" + pattern + "\": a { without its }");
    cuts.push_back(end);
    if (open.size() + done.size() + cuts.size() > kMaxAlternatives)
      return Fail(ErrorCode::kInvalidArgument, "\"" + pattern + "\": too many alternatives");
    for (std::size_t i = cuts.size() - 1; i > 0; --i)
      open.push_back(p.substr(0, start) + p.substr(cuts[i - 1] + 1, cuts[i] - cuts[i - 1] - 1) +
                     p.substr(end + 1));
  }
  return done;
}

bool GlobMatch(std::string_view pattern, std::string_view path) {
  return MatchComponents(Split(pattern, '/'), 0, Split(path, '/'), 0);
}

Result<PathSet> PathSet::Make(const std::vector<std::string>& include,
                              const std::vector<std::string>& exclude) {
  PathSet set;
  MILLRACE_TRY(AddPatterns(include, set.include_));
  MILLRACE_TRY(AddPatterns(exclude, set.exclude_));
  return set;
}

bool PathSet::Includes(std::string_view path) const {
  const auto matches = [&](const std::string& pattern) { return GlobMatch(pattern, path); };
  return std::any_of(include_.begin(), include_.end(), matches) &&
         std::none_of(exclude_.begin(), exclude_.end(), matches);
}

PathSet::Walk PathSet::FindFolders() const {
  Walker walker;
  for (const std::string& pattern : include_) {
    std::vector<std::string_view> components = Split(pattern, '/');
    components.erase(components.begin());  // before the leading slash
    // "a/**" stands for every file below a.
    if (components.back() == "**") components.push_back("*");
    walker.Go("", components, 0, 0);
  }
  Walk walk{{walker.folders.begin(), walker.folders.end()}, {}};
  for (const std::string& parent : walker.parents)
    if (walker.folders.count(parent) == 0) walk.parents.push_back(parent);
  return walk;
}

}  // namespace millrace::agent
