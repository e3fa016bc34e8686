#pragma once
// A host made of literals: collectors are tested through the files they read.
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::node::test {

/// Path below the root ("proc/loadavg", "sys/class/...") to content. A path that ends with '/' is
/// an empty directory; content "-> target" makes a symbolic link.
using Files = std::map<std::string, std::string>;

/// A directory that lives as long as this; proc, sys and udev are below it, and it is the rootfs.
class Tree {
 public:
  explicit Tree(const Files& files);
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree();
  void Write(const std::string& path, std::string_view content) const;
  void Remove(const std::string& path) const;
  [[nodiscard]] const std::string& root() const { return root_; }
  /// --path.* that lead here.
  [[nodiscard]] std::vector<std::string> PathFlags() const;

 private:
  std::string root_;
};

/// True when `line` is one of the lines of `text`.
[[nodiscard]] bool HasLine(std::string_view text, std::string_view line);

/// The exposition of one collector over `files`, without HELP lines. After a failure it ends with
/// "error: <message>", with the tree's root cut out.
[[nodiscard]] std::string Collected(std::string_view collector, const Files& files,
                                    const std::vector<std::string>& flags = {});
[[nodiscard]] std::string CollectedFrom(std::string_view collector, const Tree& tree,
                                        const std::vector<std::string>& flags = {});

}  // namespace millrace::node::test
