// Names: patterns, rotated names, records.
#include "agent/sources/file/glob.h"
#include "agent/sources/file/identity.h"
#include "agent/sources/file/stall_guard.h"
#include "agent/sources/file/tail.h"
#include "tests/unit/agent_file/harness.h"

namespace millrace::agent::test {
namespace {

TEST_CASE("patterns") {
  struct Case {
    std::string_view pattern, path;
    bool match;
  };
  const Case cases[] = {
      {"/var/log/*.log", "/var/log/a.log", true},
      {"/var/log/*.log", "/var/log/b/a.log", false},
      {"/var/log/*.log", "/var/log/.a.log", false},
      {"/var/log/**/*.log", "/var/log/a.log", true},
      {"/var/log/**/*.log", "/var/log/b/c/a.log", true},
      {"/var/**", "/var/log/b/c/a.log", true},
      {"/var/**/c/*.log", "/var/log/b/c/a.log", true},
      {"/var/**/c/*.log", "/var/log/b/d/a.log", false},
      {"/a/?[0-9].l[!a-n]g", "/a/x7.log", true},
      {"/a/?[0-9].l[!a-o]g", "/a/x7.log", false},
      {"/a/\\*.log", "/a/*.log", true},
      {"/a/\\*.log", "/a/b.log", false},
      {"/a/[b", "/a/[b", true},
      {"/a/*a*b*c", "/a/xxaxxbxxbxc", true},
      {"/a/*a*b*c", "/a/xxaxxbxxbxd", false},
  };
  for (const Case& c : cases) {
    INFO(c.pattern << " " << c.path);
    CHECK(GlobMatch(c.pattern, c.path) == c.match);
  }
  CHECK(*ExpandBraces("a{b,c{d,e}}f") == std::vector<std::string>{"abf", "acdf", "acef"});
  CHECK_FALSE(ExpandBraces("a{b"));
  CHECK_FALSE(
      ExpandBraces(std::string(20, '{') + "a,b}" + std::string(19, '}') + "{a,b}{a,b}{a,b}{"));
  std::string many;
  for (int i = 0; i < 12; ++i) many += "{a,b}";
  CHECK_FALSE(ExpandBraces(many));
  // A pattern of many stars is no trap.
  std::string stars;
  for (int i = 0; i < 50; ++i) stars += "*a";
  CHECK_FALSE(GlobMatch("/" + stars, "/" + std::string(5000, 'a') + "b"));
}

TEST_CASE("rotated names") {
  const std::pair<const char*, const char*> rotated[] = {
      {"app.log.1", "app.log"},           {"app.log.12.gz", "app.log"},
      {"app.log-20261122", "app.log"},    {"app.log-20261122.zst", "app.log"},
      {"app.log.2026-11-22", "app.log"},  {"app.log.2026-11-22_10.3", "app.log"},
      {"app.log.old", "app.log"},         {"app-20261122.log", "app.log"},
      {"app.2.log", "app.log"},           {"app.log.gz", "app.log"},
      {"0.log.20261122-101010", "0.log"},
  };
  for (const auto& [name, base] : rotated) {
    INFO(name);
    CHECK(RotatedFrom(name).value_or("") == base);
  }
  for (const char* name :
       {"app.log", "app-2.log", "app2.log", "1", ".1", "app", "10", "a.b.c", "x-1a"}) {
    INFO(name);
    CHECK_FALSE(RotatedFrom(name));
  }
  CHECK(RotationNumber("app.log.17.gz") == 17);
  CHECK_FALSE(RotationNumber("app.log"));
}

TEST_CASE("records of tails survive any path") {
  TailRecord record;
  record.file = {1, 2, -3};
  record.path = "/a\n b\\n%";
  record.label = "/label";
  record.family = record.path;
  record.fingerprint = Fingerprint::Of("hello");
  record.finished = true;
  const auto again = DecodeTailRecord(EncodeTailRecord(record));
  REQUIRE(again);
  CHECK(again->file == record.file);
  CHECK(again->path == record.path);
  CHECK(again->label == record.label);
  CHECK(again->family == record.family);
  CHECK(again->fingerprint.Matches("hello world"));
  CHECK_FALSE(again->fingerprint.Matches("hell"));
  CHECK(again->finished);
  CHECK_FALSE(again->ignored);
  CHECK_FALSE(DecodeTailRecord(""));
  CHECK_FALSE(DecodeTailRecord("file 1 2 3"));
  CHECK_FALSE(DecodeTailRecord("path /a\nfile 1 2"));
}

TEST_CASE("the guard works while a window lasts, and sleeps while there is none") {
  std::atomic<int> works{0};
  StallGuard guard(std::chrono::milliseconds(5), [&] { ++works; });
  auto lock = guard.Lock();
  {
    const StallGuard::Window window(guard);
    CHECK(Eventually([&] { return works > 2; }));
  }
  const int after = works;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // it cannot work: the lock is held
  CHECK(works == after);
  {
    const StallGuard::Window window(guard);
    CHECK(Eventually([&] { return works > after + 1; }));
  }
}

}  // namespace
}  // namespace millrace::agent::test
