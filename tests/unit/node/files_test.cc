#include "exporters/node/files.h"

#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using namespace millrace;
using namespace millrace::node;
using node::test::Tree;

TEST_CASE("files: content, change, disappearance") {
  const Tree tree(millrace::node::test::Files{{"a", "one\n"}});
  const std::string path = tree.root() + "/a";
  FileReader reader;
  CHECK(reader.Read(path).value() == "one\n");
  tree.Write("a", "two\n");
  CHECK(reader.Try(path) == "two");
  tree.Remove("a");
  CHECK_FALSE(reader.Try(path).has_value());
  CHECK(reader.last_errno() == ENOENT);
  CHECK(reader.Read(path).error().code == ErrorCode::kNotFound);
}

TEST_CASE("files: one line of a megabyte is read, 17 are refused") {
  const Tree tree(millrace::node::test::Files{{"long", std::string(std::size_t{1} << 20, 'x')},
                                              {"huge", std::string(std::size_t{17} << 20, 'x')}});
  FileReader reader;
  CHECK(reader.Read(tree.root() + "/long")->size() == std::size_t{1} << 20);
  CHECK(reader.Read(tree.root() + "/huge").error().code == ErrorCode::kResourceExhausted);
}

TEST_CASE("files: procfs stays open and shows what is new") {
  FileReader reader;
  const std::string first(reader.Read("/proc/uptime").value());
  for (int i = 0; i < 100; ++i) CHECK(reader.Read("/proc/self/stat").has_value());
  CHECK(reader.Read("/proc/uptime")->size() >= 4);
  CHECK_FALSE(first.empty());
  // Larger than the kernel's page and in many pieces.
  const std::string whole(reader.Read("/proc/kallsyms").value_or(""));
  CHECK(std::string(reader.Read("/proc/kallsyms").value_or("")) == whole);
}

TEST_CASE("files: numbers and directories") {
  const Tree tree(millrace::node::test::Files{
      {"n", " 42 \n"}, {"m", "-7\n"}, {"f", "1.5\n"}, {"x", "4x\n"}, {"d/b", ""}, {"d/a", ""}});
  FileReader reader;
  CHECK(reader.TryUnsigned(tree.root() + "/n") == 42);
  CHECK(reader.TrySigned(tree.root() + "/m") == -7);
  CHECK(reader.TryFloat(tree.root() + "/f") == 1.5);
  CHECK_FALSE(reader.TryUnsigned(tree.root() + "/x").has_value());
  CHECK_FALSE(reader.Try(tree.root() + "/d").has_value());
  DirList list;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(list.Read(tree.root() + "/d").has_value());
    CHECK(std::vector<std::string_view>(list.begin(), list.end()) ==
          std::vector<std::string_view>{"a", "b"});
  }
  CHECK(list.Read(tree.root() + "/none").error().code == ErrorCode::kNotFound);
  for (int i = 0; i < 3; ++i) CHECK(list.Read("/sys/class").has_value());
}
