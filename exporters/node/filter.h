#pragma once
// Include and exclude expressions of the collectors' flags, in Go's regular expression syntax
// (RE2 is the same engine family).
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/result.h"
#include "common/flags/flags.h"

namespace millrace::node {

/// A compiled expression; matches anywhere in the text unless anchored. Thread safe.
class Pattern {
 public:
  [[nodiscard]] static Result<Pattern> Make(std::string_view expression);
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();
  [[nodiscard]] bool Matches(std::string_view text) const;

 private:
  struct Impl;
  explicit Pattern(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Decides by name. Decisions are remembered, because names repeat at every scrape. Not thread
/// safe.
class NameFilter {
 public:
  /// An empty expression does not filter.
  [[nodiscard]] static Result<NameFilter> Make(const std::string& exclude,
                                               const std::string& include);
  [[nodiscard]] bool Ignored(std::string_view name);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::unique_ptr<Pattern> exclude_, include_;
  std::unordered_map<std::string, bool, Hash, std::equal_to<>> known_;
};

/// Flags that make a NameFilter. `exclude` may have a default: `include` switches that off.
struct FilterFlags {
  std::string_view exclude, include;
  std::string_view old_exclude = {}, old_include = {};  ///< Deprecated names, or empty.
};
/// Old names are used with a warning. Fails when two flags contradict each other.
[[nodiscard]] Result<NameFilter> FilterFromFlags(const FlagSet& flags, const FilterFlags& names);

}  // namespace millrace::node
