#include "tests/unit/node/tree.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "exporters/node/registry.h"
#include "tests/support/catch.h"

namespace millrace::node::test {

namespace fs = std::filesystem;

Tree::Tree(const Files& files) {
  std::string name = (fs::temp_directory_path() / "millrace-node-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  root_ = name;
  for (const auto& [path, content] : files) Write(path, content);
}

Tree::~Tree() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

void Tree::Write(const std::string& path, std::string_view content) const {
  const fs::path full = fs::path(root_) / path;
  if (path.back() == '/') {
    fs::create_directories(full);
    return;
  }
  fs::create_directories(full.parent_path());
  if (content.starts_with("-> ")) {
    fs::create_symlink(std::string(content.substr(3)), full);
    return;
  }
  std::ofstream(full, std::ios::binary) << content;
}

void Tree::Remove(const std::string& path) const { fs::remove_all(fs::path(root_) / path); }

std::vector<std::string> Tree::PathFlags() const {
  return {"--path.procfs=" + root_ + "/proc", "--path.sysfs=" + root_ + "/sys",
          "--path.rootfs=" + root_, "--path.udev.data=" + root_ + "/udev"};
}

bool HasLine(std::string_view text, std::string_view line) {
  const std::string all = "\n" + std::string(text) + "\n";
  return all.find("\n" + std::string(line) + "\n") != std::string::npos;
}

std::string CollectedFrom(std::string_view collector, const Tree& tree,
                          const std::vector<std::string>& flags) {
  FlagSet set("test");
  DeclareCollectorFlags(set);
  std::vector<std::string> args = tree.PathFlags();
  args.insert(args.end(), flags.begin(), flags.end());
  const Status parsed = set.Parse(args);
  REQUIRE(parsed.has_value());
  for (const CollectorEntry* entry : Collectors()) {
    if (entry->name != collector) continue;
    auto made = entry->make(Context{set, PathsFrom(set)});
    if (!made) return "error: " + made.error().message;
    MetricWriter writer;
    writer.Reset(exposition::Format::kText);
    const Status status = (*made)->Collect(writer);
    exposition::Assembler assembler;
    assembler.Begin(exposition::Format::kText);
    assembler.Add(writer);
    std::string text;
    assembler.Finish(text);
    std::istringstream lines(text);
    std::string out;
    for (std::string line; std::getline(lines, line);)
      if (!line.starts_with("# HELP ")) out += line + "\n";
    if (!status) {
      std::string message = status.error().message;
      for (auto at = message.find(tree.root()); at != std::string::npos;
           at = message.find(tree.root()))
        message.erase(at, tree.root().size() + 1);
      out += "error: " + message;
    }
    return out;
  }
  FAIL("no collector " << collector);
  return {};
}

std::string Collected(std::string_view collector, const Files& files,
                      const std::vector<std::string>& flags) {
  const Tree tree(files);
  return CollectedFrom(collector, tree, flags);
}

}  // namespace millrace::node::test
