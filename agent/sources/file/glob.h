#pragma once
// Patterns of paths: `*` and `?` stay within a folder, `**` as a whole component goes through any
// number of folders, `[a-z]` and `[!a-z]`, `{a,b}` alternatives, `\` takes the next byte literally.
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace millrace::agent {

/// "{a,b}" written out; kInvalidArgument for unbalanced brackets or more than 1000 alternatives.
[[nodiscard]] Result<std::vector<std::string>> ExpandBraces(const std::string& pattern);
/// `pattern` without braces against a whole path.
[[nodiscard]] bool GlobMatch(std::string_view pattern, std::string_view path);

/// Several patterns with their exceptions.
class PathSet {
 public:
  /// Relative patterns are taken from the current folder.
  [[nodiscard]] static Result<PathSet> Make(const std::vector<std::string>& include,
                                            const std::vector<std::string>& exclude);
  [[nodiscard]] bool Includes(std::string_view path) const;
  /// A folder in which files may match, and how deep below it others may lie.
  struct Walk {
    std::vector<std::string> folders;  ///< Those that exist, sorted.
    std::vector<std::string> parents;  ///< Existing folders in which a missing one may appear.
  };
  /// Every folder that may hold a matching file. Symbolic links to folders are followed where a
  /// pattern names one level, not under `**` (cycles).
  [[nodiscard]] Walk FindFolders() const;

 private:
  std::vector<std::string> include_, exclude_;
};

}  // namespace millrace::agent
