#include "common/flags/flags.h"

#include "tests/support/catch.h"

using millrace::FlagSet;
using Args = std::vector<std::string>;

namespace {

FlagSet Make() {
  FlagSet f("prog");
  f.Switch("a", true, "A switch.");
  f.Text("t", "x", "A text.");
  f.List("l", {"one"}, "A list.");
  f.Integer("i", 40, "A number.");
  f.Duration("d", "1m30s", "A duration.");
  f.Choice("c", "red", {"red", "blue"}, "A choice.");
  f.Text("old", "", "Gone.");
  f.Hide();
  return f;
}

}  // namespace

TEST_CASE("flags: defaults") {
  FlagSet f = Make();
  REQUIRE(f.Parse(Args{}).has_value());
  CHECK(f.GetSwitch("a"));
  CHECK(f.GetText("t") == "x");
  CHECK(f.GetList("l") == Args{"one"});
  CHECK(f.GetInteger("i") == 40);
  CHECK(f.GetSeconds("d") == 90);
  CHECK_FALSE(f.IsSet("a"));
}

TEST_CASE("flags: values") {
  FlagSet f = Make();
  REQUIRE(f.Parse(Args{"--no-a", "--t=", "--l=two", "--l", "three", "--i", "-1", "--d=250ms",
                       "--c=blue", "--old=1"})
              .has_value());
  CHECK_FALSE(f.GetSwitch("a"));
  CHECK(f.IsSet("a"));
  CHECK(f.GetText("t").empty());
  CHECK(f.GetList("l") == Args{"two", "three"});
  CHECK(f.GetInteger("i") == -1);
  CHECK(f.GetSeconds("d") == 0.25);
  CHECK(f.GetText("c") == "blue");
}

TEST_CASE("flags: what is wrong is said") {
  const std::vector<std::pair<Args, std::string>> cases = {
      {{"--nope"}, "unknown long flag '--nope'"},
      {{"-x"}, "unknown short flag '-x'"},
      {{"word"}, "unexpected word"},
      {{"--t"}, "expected argument for flag '--t'"},
      {{"--t=1", "--t=2"}, "flag 't' cannot be repeated"},
      {{"--i=1.5"}, "--i: \"1.5\" is not a whole number"},
      {{"--d=5"}, "--d: \"5\" is not a duration such as 250ms, 10s or 1m30s"},
      {{"--c=green"}, "--c: must be one of red, blue, not \"green\""},
      {{"--no-t"}, "unknown long flag '--no-t'"},
  };
  for (const auto& [args, message] : cases) {
    FlagSet f = Make();
    const auto parsed = f.Parse(args);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().message.substr(0, message.size()) == message);
  }
}

TEST_CASE("flags: help lists what is not hidden") {
  FlagSet f = Make();
  CHECK_FALSE(f.Parse(Args{"--help"}).has_value());
  CHECK(f.asked_help());
  const std::string help = f.Help();
  CHECK(help.find("--[no-]a ") != std::string::npos);
  CHECK(help.find("--t=\"x\"") != std::string::npos);
  CHECK(help.find("--old") == std::string::npos);
}
