// Reading files that nobody rotates.
#include "tests/unit/agent_file/harness.h"

namespace millrace::agent::test {
namespace {

TEST_CASE("a file is read from its beginning and on as it grows, and goes on after a restart") {
  Logs logs;
  logs.Lines("app.log", 0, 1000);
  std::vector<Got> before;
  {
    Running run(logs.config, logs.data());
    REQUIRE(run.Wait(1000));
    logs.Lines("app.log", 1000, 1100);
    REQUIRE(run.Wait(1100));
    CHECK(run.out().texts() == Logs::Want(0, 1100));
    before = run.out().all();
    CHECK(before[0].file == logs.path("app.log"));
    CHECK(before[3].position == 21);
  }
  logs.Lines("app.log", 1100, 1200);
  Running run(logs.config, logs.data());
  REQUIRE(run.Wait(100));
  CHECK(run.out().texts() == Logs::Want(1100, 1200));
}

TEST_CASE("what was not acknowledged comes again, with the same ids") {
  Logs logs;
  logs.Lines("app.log", 0, 100'000);
  std::vector<Got> first;
  {
    Running run(logs.config, logs.data(), FakeOutput::Mode::kHold);
    REQUIRE(run.Wait(100'000));
    run.out().Release(3);
    first = run.out().all();
  }
  Running run(logs.config, logs.data());
  REQUIRE(Eventually(
      [&] { return !run.out().all().empty() && run.out().all().back().text == "line 99999"; }));
  const std::vector<Got> again = run.out().all();
  REQUIRE(again.size() < first.size());
  REQUIRE(again.size() > 50'000);
  const std::size_t skipped = first.size() - again.size();
  for (std::size_t i = 0; i < again.size(); ++i) {
    REQUIRE(again[i].text == first[skipped + i].text);
    REQUIRE(again[i].id == first[skipped + i].id);
  }
}

TEST_CASE("read_from: end is for files there at the first start only") {
  Logs logs;
  logs.config.include = {logs.path("*.log")};
  logs.config.read_from = ReadFrom::kEnd;
  logs.Lines("app.log", 0, 10, "old ");
  {
    Running run(logs.config, logs.data());
    REQUIRE(Eventually([&] {
      logs.Append("probe.log", "probe\n");
      return run.out().size() > 0;
    }));
    logs.Lines("app.log", 0, 5);
    REQUIRE(Eventually([&] {
      const auto texts = run.out().texts();
      return std::count(texts.begin(), texts.end(), "line 4") == 1;
    }));
    for (const std::string& t : run.out().texts()) CHECK(t.find("old") == std::string::npos);
  }
  logs.Lines("late.log", 0, 10, "late ");
  logs.Remove("probe.log");
  Running run(logs.config, logs.data());
  REQUIRE(run.Wait(10));
  CHECK(run.out().texts() == Logs::Want(0, 10, "late "));
}

TEST_CASE("a last line without newline waits for its end, or for the timeout") {
  Logs logs;
  logs.Append("app.log", "one\ntw");
  {
    Running run(logs.config, logs.data());
    REQUIRE(run.Wait(1));
    logs.Append("app.log", "o\n");
    REQUIRE(run.Wait(2));
    CHECK(run.out().texts() == std::vector<std::string>{"one", "two"});
  }
  logs.config.partial_line_timeout = std::chrono::milliseconds(100);
  logs.Append("app.log", "three");
  Running run(logs.config, logs.data());
  REQUIRE(run.Wait(1));
  logs.Append("app.log", " and four\n");
  REQUIRE(run.Wait(2));
  CHECK(run.out().texts() == std::vector<std::string>{"three", " and four"});
}

TEST_CASE("a line of 12 MB is cut and its neighbours arrive; long lines may be dropped") {
  Logs logs;
  logs.Append("app.log", "before\n" + std::string(12'000'000, 'x') + "\nafter\n");
  {
    Running run(logs.config, logs.data());
    REQUIRE(run.Wait(3));
    const auto all = run.out().all();
    CHECK(all[0].text == "before");
    CHECK(all[1].truncated);
    CHECK(all[1].text.size() == 102'400);
    CHECK(all[2].text == "after");
    CHECK(all[2].position == 12'000'008);
    CHECK(run.metric("file_long_lines_total") == 1);
    CHECK(run.out().largest() < 1'000'000);
  }
  logs.config.long_lines = LongLines::kDrop;
  logs.Append("app.log", std::string(200'000, 'y') + "\n");
  {
    Running run(logs.config, logs.data());
    REQUIRE(Eventually([&] { return run.metric("component_discarded_events_total") == 1; }));
    CHECK(run.out().size() == 0);
  }
  logs.Append("app.log", "end\n");
  Running run(logs.config, logs.data());  // the dropped line is not met again
  REQUIRE(run.Wait(1));
  CHECK(run.out().texts() == std::vector<std::string>{"end"});
  CHECK(run.metric("component_discarded_events_total") == 0);
}

TEST_CASE("CRLF, other delimiters, character sets, offsets") {
  Logs logs;
  logs.Append("app.log", "a\r\nb\r\n");
  {
    Running run(logs.config, logs.data());
    REQUIRE(run.Wait(2));
    CHECK(run.out().texts() == std::vector<std::string>{"a", "b"});
  }
  Logs utf16;
  utf16.config.encoding.charset = "UTF-16LE";
  utf16.Append("app.log", std::string("\xff\xfe"
                                      "h\0\xe9\0\r\0\n\0\x0a\x01\n\0",
                                      14));
  Running run(utf16.config, utf16.data());
  REQUIRE(run.Wait(2));
  CHECK(run.out().texts() == std::vector<std::string>{"h\xc3\xa9", "\xc4\x8a"});
}

TEST_CASE("a thousand files with one header, empty files, tiny files: each is itself") {
  Logs logs;
  logs.config.include = {logs.path("**/*.txt")};
  const std::string header = std::string(4096, '#') + "\n";
  for (int i = 0; i < 1000; ++i) {
    std::filesystem::create_directories(logs.path("d" + std::to_string(i % 7) + "/e"));
    logs.Append("d" + std::to_string(i % 7) + "/e/f" + std::to_string(i) + ".txt",
                header + "line " + std::to_string(i) + "\n");
  }
  for (int i = 0; i < 400; ++i) logs.Append("d1/empty" + std::to_string(i) + ".txt", "");
  logs.Append("tiny.txt", "x\n");
  {
    Running run(logs.config, logs.data());
    REQUIRE(run.Wait(2001));
    auto texts = run.out().texts();
    std::erase(texts, header.substr(0, 4096));
    std::sort(texts.begin(), texts.end());
    auto want = Logs::Want(0, 1000);
    want.push_back("x");
    std::sort(want.begin(), want.end());
    CHECK(texts == want);
  }
  for (int i = 0; i < 400; ++i) logs.Append("d1/empty" + std::to_string(i) + ".txt", "filled\n");
  for (int i = 0; i < 1000; ++i)
    logs.Append("d" + std::to_string(i % 7) + "/e/f" + std::to_string(i) + ".txt", "more\n");
  Running run(logs.config, logs.data());
  REQUIRE(run.Wait(1400));
  auto texts = run.out().texts();
  CHECK(std::count(texts.begin(), texts.end(), "more") == 1000);
  CHECK(std::count(texts.begin(), texts.end(), "filled") == 400);
}

TEST_CASE("folders and files that come later are found, excluded ones are not") {
  Logs logs;
  logs.config.include = {logs.path("*/svc-{a,b}*.log")};
  logs.config.exclude = {logs.path("**/*-b2.log")};
  logs.config.glob_minimum_cooldown_ms = 10;
  Running run(logs.config, logs.data());
  std::filesystem::create_directory(logs.path("new"));
  logs.Append("new/svc-a.log", "a\n");
  REQUIRE(run.Wait(1));
  logs.Append("new/svc-b2.log", "no\n");
  logs.Append("new/svc-c.log", "no\n");
  logs.Append("new/svc-b1.log", "b\n");
  REQUIRE(run.Wait(2));
  CHECK(run.out().texts() == std::vector<std::string>{"a", "b"});
}

TEST_CASE("polling finds the same") {
  Logs logs;
  logs.config.watch = WatchMode::kPoll;
  logs.config.glob_minimum_cooldown_ms = 20;
  Running run(logs.config, logs.data());
  logs.Lines("app.log", 0, 10);
  REQUIRE(run.Wait(10));
  logs.Rename("app.log", "app.log.1");
  logs.Lines("app.log", 10, 20);
  REQUIRE(run.Wait(20));
  CHECK(run.out().texts() == Logs::Want(0, 20));
}

TEST_CASE("a link into another folder is followed, as Kubernetes makes them") {
  Logs logs;
  std::filesystem::create_directories(logs.path("pods/x"));
  std::filesystem::create_directories(logs.path("containers"));
  logs.config.include = {logs.path("containers/*.log")};
  logs.Lines("pods/x/0.log", 0, 5);
  std::filesystem::create_symlink(logs.path("pods/x/0.log"), logs.path("containers/c.log"));
  {
    Running run(logs.config, logs.data());
    REQUIRE(run.Wait(5));
    CHECK(run.out().all()[0].file == logs.path("containers/c.log"));
    logs.Lines("pods/x/0.log", 5, 8);
    REQUIRE(run.Wait(8));
    logs.Rename("pods/x/0.log", "pods/x/0.log.20261122-101010");
    logs.Lines("pods/x/0.log", 8, 12);
    REQUIRE(run.Wait(12));
    CHECK(run.out().texts() == Logs::Want(0, 12));
  }
  logs.Lines("pods/x/0.log", 12, 14);
  Running run(logs.config, logs.data());
  REQUIRE(run.Wait(2));
  CHECK(run.out().texts() == Logs::Want(12, 14));
}

TEST_CASE("stop is prompt while the output blocks, and nothing is taken as sent") {
  Logs logs;
  logs.Lines("app.log", 0, 1000);
  {
    Running run(logs.config, logs.data(), FakeOutput::Mode::kBlock);
    REQUIRE(Eventually([&] { return run.out().sends() > 0; }));
    run.Stop();
    CHECK(run.status());
  }
  Running run(logs.config, logs.data());
  REQUIRE(run.Wait(1000));
  CHECK(run.out().texts() == Logs::Want(0, 1000));
}

TEST_CASE("a fast writer does not starve the others") {
  Logs logs;
  logs.config.include = {logs.path("*.log")};
  logs.config.max_read_bytes.value = 64 * 1024;
  logs.Append("big.log", std::string(20'000'000, 'b') + "\n");
  for (int i = 0; i < 200'000; ++i) logs.Append("big.log", "");
  {
    std::string text;
    for (int i = 0; i < 300'000; ++i) text += "big line number " + std::to_string(i) + "\n";
    logs.Append("big.log", text);
  }
  logs.Append("small.log", "small\n");
  Running run(logs.config, logs.data());
  REQUIRE(Eventually([&] { return run.out().size() > 300'000; }));
  const auto texts = run.out().texts();
  const auto at = std::find(texts.begin(), texts.end(), "small") - texts.begin();
  CHECK(at < 10'000);
}

}  // namespace
}  // namespace millrace::agent::test
