#include "agent/route/expression.h"

#include <string>

#include "agent/core/name.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

std::unique_ptr<EventBatch> Sample() {
  auto b = std::make_unique<EventBatch>();
  b->AddCommon(Field::String("host", "web-1"));
  b->Begin(0, 1'700'000'000'000'000'000);
  b->Append(Field::String("level", "error"));
  b->Append(Field::Int("status", 503));
  b->Append(Field::String("bytes", "12.5", Type::kRawJson));
  b->Append(Field::String("path", R"(/api\/v\u0031)", Type::kJsonString));
  b->Append(Field::Bool("slow", true));
  b->Append(Field::Null("nothing"));
  b->Append(Field::String("user", R"({"name":"Ann","tags":["a","b c"],"age":41})", Type::kRawJson));
  b->Append(Field::String("x y", "z"));
  return b;
}

bool True(std::string_view text) {
  auto c = Condition::Compile(text);
  INFO(text << ": " << (c ? std::string() : c.error().what));
  REQUIRE(c);
  const auto b = Sample();
  return c->Matches(*b, b->event(0));
}

TEST_CASE("conditions that hold") {
  for (const char* text : {
           R"(.level == "error" && .status >= 500)",
           R"(.path.startsWith("/api"))",
           R"(.path == "/api/v1")",
           R"(starts_with(.path, '/api/') && .path.length() == 7)",
           R"(.status in [500, 503] && .level in ["warn", "error"])",
           R"("b c" in .user.tags)",
           R"(!("x" in .user.tags))",
           R"(.user.name == "Ann" && .user.age > 40.5)",
           R"(.user.tags[1] == "b c" && .user.tags.length() == 2)",
           R"(.bytes * 2 == 25 && .bytes > 12 && .bytes < 13)",
           R"(.slow)",
           R"(!.missing)",
           R"(exists(.nothing) && !exists(.missing))",
           R"(.nothing == null && .missing == null && .level != null)",
           R"(.host == "web-1")",
           R"(."x y" == "z")",
           R"(.level =~ "^err" && .level !~ r'\d')",
           R"(.level + "!" == "error!")",
           R"(.status % 100 == 3 && -.status < 0 && 7 / 2 == 3.5 && 6 / 3 == 2)",
           R"(lowercase("ABC") == "abc" && upcase("x") == "X")",
           R"(to_int("42") == 42 && to_string(.status) == "503" && to_bool("Yes"))",
           R"(slice(.level, 0, 3) == "err" && slice(.level, -2) == "or")",
           R"(replace(.level, "r", "") == "eo" && trim("  a ") == "a")",
           R"(coalesce(.missing, .nothing, "d") == "d")",
           R"(.timestamp == "2023-11-14T22:13:20Z" && .timestamp < now())",
           R"(1 + 2 * 3 == 7 && (1 + 2) * 3 == 9)",
           R"(true || .missing > 3)",
           R"(round(2.5) == 3 && floor(2.9) == 2 && ceil(2.1) == 3)",
           R"(is_string(.path) && is_number(.bytes) && is_object(.user) && is_null(.nothing))",
       }) {
    INFO(text);
    CHECK(True(text));
  }
}

TEST_CASE("values of different types are neither equal nor in order") {
  for (const char* text : {R"(.level > 3)", R"(.status == "503")", R"(.missing > 1)",
                           R"(.missing < 1)", R"(.user == 1)", R"(.slow == "true")", R"(.status)",
                           R"(.level =~ "^x")", R"(.status =~ "5")", R"(.status / 0 == 1)"}) {
    INFO(text);
    CHECK_FALSE(True(text));
  }
}

TEST_CASE("faults say where and what") {
  struct Case {
    const char* text;
    std::size_t offset;
    const char* what;
  };
  for (const Case& c : {
           Case{R"(.a = 1)", 3, "did you mean \"==\""},
           Case{R"(.a == )", 6, "a value is missing at the end"},
           Case{R"(.a && "x")", 6, "\"&&\" wants a boolean, this is a string"},
           Case{R"(1 < "x")", 2, "cannot compare a number with a string"},
           Case{R"(.a.startwith("x"))", 3, "did you mean \"starts_with\""},
           Case{R"(lenght(.a) > 1)", 0, "did you mean \"length\""},
           Case{R"(length(.a, .b) > 1)", 11, "takes 1 argument"},
           Case{R"(contains(.a))", 0, "wants 2 arguments, not 1"},
           Case{R"(exists("a"))", 0, "wants a path"},
           Case{R"(.a =~ "(")", 6, "does not compile"},
           Case{R"(.a == "x)", 6, "not closed"},
           Case{R"(level == "x")", 0, "a field is written .level"},
           Case{R"((.a == 1)", 8, "\")\" expected, not end"},
           Case{R"(.a == 1 == true)", 8, "do not chain"},
           Case{R"(.a in ["x", .b])", 12, "constants only"},
           Case{R"(.a == 1 & .b)", 8, "write \"&&\""},
           Case{R"("text")", 0, "must be true or false"},
           Case{R"(.a + "x" + 1 == "y")", 9, "to_string()"},
           Case{"", 0, "a value is missing"},
           Case{".", 0, "whole event"},
           Case{"1e999 == 1", 0, "not a number"},
       }) {
    INFO(c.text);
    const auto compiled = Condition::Compile(c.text);
    REQUIRE_FALSE(compiled);
    INFO(compiled.error().what);
    CHECK(compiled.error().offset == c.offset);
    CHECK(compiled.error().what.find(c.what) != std::string::npos);
  }
}

TEST_CASE("depth and length are limited, so that no text can use up the stack") {
  CHECK_FALSE(Condition::Compile(std::string(10'000, '(') + "true"));
  CHECK_FALSE(Condition::Compile(std::string(10'000, '!') + "true"));
  CHECK_FALSE(Condition::Compile(std::string(100'000, ' ')));
  std::string chain = "true";
  for (int i = 0; i < 2000; ++i) chain += "&&true";
  CHECK_FALSE(Condition::Compile(chain));
  std::string calls = ".a";
  for (int i = 0; i < 2000; ++i) calls += ".trim()";
  CHECK_FALSE(Condition::Compile(calls + " == \"\""));
}

TEST_CASE("integers that overflow go on as doubles") {
  CHECK(True("9223372036854775807 + 1 > 9e18"));
  CHECK(True("-9223372036854775807 - 2 < 0"));
  CHECK(True("9223372036854775807 * 9223372036854775807 > 1"));
}

}  // namespace
}  // namespace millrace::agent
