// Rotation by rename, by copy and truncate, by compression; seen and unseen.
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include "agent/sources/file/identity.h"
#include "common/base/fd.h"
#include "tests/unit/agent_file/harness.h"

namespace millrace::agent::test {
namespace {

/// Waits until all of `n` lines "line 0" .. are there, in any order, perhaps more than once.
void WaitForAll(Running& run, int n) {
  const auto want = Logs::Want(0, n);
  REQUIRE(Eventually([&] {
    const auto texts = run.out().texts();
    const std::set<std::string> got(texts.begin(), texts.end());
    return std::all_of(want.begin(), want.end(),
                       [&](const std::string& w) { return got.count(w) != 0; });
  }));
}

/// Waits for `n` lines that are "line 0" .., each once, in order.
void WaitFor(Running& run, int n) {
  const bool all = run.Wait(static_cast<std::size_t>(n));
  const auto texts = run.out().texts();
  const auto want = Logs::Want(0, n);
  const auto bad = std::mismatch(texts.begin(), texts.end(), want.begin(), want.end());
  INFO("of " << n << " got " << texts.size() << ", equal up to " << bad.first - texts.begin()
             << ", then " << (bad.first != texts.end() ? *bad.first : "nothing"));
  REQUIRE(all);
  const bool same = texts == want;
  REQUIRE(same);
}

/// Everything so far, then a stop; what was read is acknowledged.
void ReadAll(const Logs& logs, int from, int to) {
  Running run(logs.config, logs.data());
  REQUIRE(run.Wait(static_cast<std::size_t>(to - from)));
  const bool same = run.out().texts() == Logs::Want(from, to);
  CHECK(same);
}

std::vector<std::vector<std::string>> Patterns(const Logs& logs) {
  return {{logs.path("app.log")}, {logs.path("app.log*")}};
}

/// Waits until the source has met the new content, unless the rotation is to outrun it.
void Noticed(Running& run, bool wait, int generations) {
  if (wait)
    REQUIRE(Eventually([&] { return run.metric("file_generations_total") >= generations; }));
}

TEST_CASE("renamed while running: the rest of the old file, then the new one") {
  for (int variant = 0; variant < 4; ++variant) {
    const int pattern = variant % 2;
    // Rotated several times within a millisecond, nothing is lost; order and single arrival take
    // that each generation was looked at while it was there.
    const bool paced = variant < 2;
    Logs logs;
    logs.config.include = Patterns(logs)[static_cast<std::size_t>(pattern)];
    Running run(logs.config, logs.data());
    logs.Lines("app.log", 0, 1);
    REQUIRE(run.Wait(1));  // what is rotated before the first start is not ours
    int n = 1;
    for (int round = 0; round < 30; ++round) {
      logs.Lines("app.log", n, n + 50);
      n += 50;
      for (int i = 30; i >= 1; --i)
        if (std::filesystem::exists(logs.path("app.log." + std::to_string(i))))
          logs.Rename("app.log." + std::to_string(i), "app.log." + std::to_string(i + 1));
      logs.Rename("app.log", "app.log.1");
      logs.Lines("app.log.1", n, n + 3);  // the writer was not told yet
      n += 3;
      logs.Append("app.log", "");
      Noticed(run, paced, round + 2);
    }
    logs.Lines("app.log", n, n + 1);
    n += 1;
    paced ? WaitFor(run, n) : WaitForAll(run, n);
    CHECK(run.out().size() == static_cast<std::size_t>(n));
    for (const Got& g : run.out().all()) REQUIRE(g.file.find("app.log") != std::string::npos);
  }
}

TEST_CASE("renamed several times while down: every generation, in order") {
  for (int pattern = 0; pattern < 2; ++pattern) {
    Logs logs;
    logs.config.include = Patterns(logs)[static_cast<std::size_t>(pattern)];
    logs.Append("app.log.9", "an old archive, there before us\n");
    if (pattern == 1) logs.Remove("app.log.9");
    logs.Lines("app.log", 0, 10);
    ReadAll(logs, 0, 10);
    logs.Lines("app.log", 10, 20);
    for (int g = 0; g < 4; ++g) {
      for (int i = 5; i >= 1; --i)
        if (std::filesystem::exists(logs.path("app.log." + std::to_string(i))))
          logs.Rename("app.log." + std::to_string(i), "app.log." + std::to_string(i + 1));
      logs.Rename("app.log", "app.log.1");
      logs.Lines("app.log", 20 + g * 10, 30 + g * 10);
    }
    ReadAll(logs, 10, 60);
    logs.Lines("app.log", 60, 61);
    ReadAll(logs, 60, 61);
  }
}

TEST_CASE("compressed while down, gzip and zstd: goes on at the stored position") {
  for (const std::string tool : {"gzip -q", "zstd -q --rm"}) {
    for (int pattern = 0; pattern < 2; ++pattern) {
      Logs logs;
      logs.config.include = Patterns(logs)[static_cast<std::size_t>(pattern)];
      logs.Lines("app.log", 0, 10'000);
      ReadAll(logs, 0, 10'000);
      logs.Lines("app.log", 10'000, 20'000);
      logs.Rename("app.log", "app.log.2");
      logs.Run(tool + " app.log.2");
      logs.Lines("app.log", 20'000, 20'100);
      logs.Rename("app.log", "app.log.1");
      logs.Run(tool + " app.log.1");  // a generation that was never seen plain
      logs.Lines("app.log", 20'100, 20'200);
      ReadAll(logs, 10'000, 20'200);
      logs.Lines("app.log", 20'200, 20'201);
      ReadAll(logs, 20'200, 20'201);
    }
  }
}

TEST_CASE("compressed while running: not read again") {
  for (int pattern = 0; pattern < 2; ++pattern) {
    Logs logs;
    logs.config.include = Patterns(logs)[static_cast<std::size_t>(pattern)];
    Running run(logs.config, logs.data());
    logs.Lines("app.log", 0, 1);
    REQUIRE(run.Wait(1));
    int n = 1;
    for (int round = 0; round < 5; ++round) {
      logs.Lines("app.log", n, n + 100);
      n += 100;
      for (int i = 5; i >= 1; --i) {
        const std::string name = "app.log." + std::to_string(i);
        const std::string next = "app.log." + std::to_string(i + 1);
        if (std::filesystem::exists(logs.path(name + ".gz")))
          logs.Rename(name + ".gz", next + ".gz");
      }
      logs.Rename("app.log", "app.log.1");
      logs.Run("gzip -q app.log.1");
      logs.Lines("app.log", n, n + 1);
      n += 1;
      WaitFor(run, n);
    }
  }
}

TEST_CASE("copied and truncated while running") {
  for (int variant = 0; variant < 4; ++variant) {
    const int pattern = variant % 2;
    const bool paced = variant < 2;
    Logs logs;
    logs.config.include = Patterns(logs)[static_cast<std::size_t>(pattern)];
    Running run(logs.config, logs.data());
    logs.Lines("app.log", 0, 1);
    REQUIRE(run.Wait(1));
    int n = 1;
    for (int round = 0; round < 20; ++round) {
      logs.Lines("app.log", n, n + 200);
      n += 200;
      if (round % 2 == 0) paced ? WaitFor(run, n) : WaitForAll(run, n);
      for (int i = 5; i >= 1; --i)
        if (std::filesystem::exists(logs.path("app.log." + std::to_string(i))))
          logs.Rename("app.log." + std::to_string(i), "app.log." + std::to_string(i + 1));
      logs.Copy("app.log", "app.log.1");
      logs.Truncate("app.log");
      Noticed(run, paced, round + 2);
    }
    logs.Lines("app.log", n, n + 1);
    n += 1;
    paced ? WaitFor(run, n) : WaitForAll(run, n);
    // The last copies are judged now too, not after the test.
    logs.Lines("app.log", n, n + 1);
    n += 1;
    paced ? WaitFor(run, n) : WaitForAll(run, n);
  }
}

TEST_CASE("copied and truncated several times while down") {
  for (int pattern = 0; pattern < 2; ++pattern) {
    Logs logs;
    logs.config.include = Patterns(logs)[static_cast<std::size_t>(pattern)];
    logs.Lines("app.log", 0, 100);
    ReadAll(logs, 0, 100);
    int n = 100;
    logs.Lines("app.log", n, n + 10);
    n += 10;
    for (int g = 0; g < 3; ++g) {
      for (int i = 5; i >= 1; --i)
        if (std::filesystem::exists(logs.path("app.log." + std::to_string(i))))
          logs.Rename("app.log." + std::to_string(i), "app.log." + std::to_string(i + 1));
      logs.Copy("app.log", "app.log.1");
      logs.Truncate("app.log");
      // Larger than our position was, once: the size alone would not tell.
      logs.Lines("app.log", n, n + (g == 2 ? 500 : 10));
      n += g == 2 ? 500 : 10;
    }
    ReadAll(logs, 100, n);
  }
}

TEST_CASE("truncated and grown past our position between two looks") {
  Logs logs;
  const std::string header = std::string(2000, '#') + "\n";  // longer than the fingerprint
  logs.Append("app.log", header);
  logs.Lines("app.log", 0, 10);
  {
    Running run(logs.config, logs.data());
    REQUIRE(run.Wait(11));
    run.out().SetMode(FakeOutput::Mode::kBlock);  // it does not look for a while
    const std::size_t sends = run.out().sends();
    logs.Append("app.log", "x\n");
    REQUIRE(Eventually([&] { return run.out().sends() > sends; }));
    logs.Truncate("app.log");
    logs.Append("app.log", header);
    logs.Lines("app.log", 100, 200);
    run.out().SetMode(FakeOutput::Mode::kAcknowledge);
    REQUIRE(run.Wait(11 + 1 + 1 + 100));
    auto texts = run.out().texts();
    texts.erase(texts.begin(), texts.begin() + 13);
    CHECK(texts == Logs::Want(100, 200));
    CHECK(run.metric("file_truncations_total") == 1);
  }
  logs.Truncate("app.log");
  logs.Append("app.log", header);
  logs.Lines("app.log", 200, 400);
  Running run(logs.config, logs.data());
  REQUIRE(run.Wait(201));
  auto texts = run.out().texts();
  texts.erase(texts.begin());
  CHECK(texts == Logs::Want(200, 400));
}

TEST_CASE("an inode that is used again is another file") {
  Logs logs;
  logs.config.include = {logs.path("*.log")};
  int reused = 0;
  std::uint64_t inode = 0;
  const auto inode_of = [&](const std::string& name) {
    return StatPath(logs.path(name))->key.inode;
  };
  for (int round = 0; round < 20; ++round) {
    const std::string name = "r" + std::to_string(round) + ".log";
    // The same beginning and a greater length, so that inode or size alone would take it for the
    // old file.
    logs.Append(name, "header\n" + std::to_string(round) + "\n");
    for (int i = 0; i < round; ++i) logs.Append(name, "more\n");
    if (inode == inode_of(name)) ++reused;
    inode = inode_of(name);
    Running run(logs.config, logs.data());
    REQUIRE(run.Wait(2 + static_cast<std::size_t>(round)));
    CHECK(run.out().all()[0].text == "header");
    CHECK(run.out().all()[1].text == std::to_string(round));
    run.Stop();
    logs.Remove(name);
  }
  INFO("inodes used again: " << reused);
  // And while it runs.
  Running run(logs.config, logs.data());
  std::size_t n = 0;
  for (int round = 0; round < 50; ++round) {
    logs.Append("x.log", "header\n" + std::to_string(round) + "\n");
    n += 2;
    REQUIRE(run.Wait(n));
    CHECK(run.out().all()[n - 1].text == std::to_string(round));
    logs.Remove("x.log");
  }
  CHECK(run.out().size() == n);
}

TEST_CASE("a deleted file that is open is read to its end") {
  Logs logs;
  Running run(logs.config, logs.data(), FakeOutput::Mode::kBlock);
  logs.Lines("app.log", 0, 50'000);
  REQUIRE(Eventually([&] { return run.out().sends() > 0; }));
  logs.Remove("app.log");
  run.out().SetMode(FakeOutput::Mode::kAcknowledge);
  REQUIRE(run.Wait(50'000));
  CHECK(run.out().texts() == Logs::Want(0, 50'000));
}

TEST_CASE("what is rotated and deleted while a sink blocks is read all the same") {
  Logs logs;
  Running run(logs.config, logs.data());
  logs.Lines("app.log", 0, 1);
  WaitFor(run, 1);
  run.out().SetMode(FakeOutput::Mode::kBlock);
  const std::size_t sends = run.out().sends();
  logs.Lines("app.log", 1, 2);
  REQUIRE(Eventually([&] { return run.out().sends() > sends; }));
  for (int g = 0; g < 3; ++g) {
    logs.Rename("app.log", "app.log.1");
    logs.Lines("app.log", 2 + g * 10, 12 + g * 10);
    // The guard looks once a second; then the file may go.
    REQUIRE(Eventually([&] { return run.metric("file_generations_total") >= 2 + g; }));
  }
  logs.Remove("app.log.1");
  run.out().SetMode(FakeOutput::Mode::kAcknowledge);
  WaitFor(run, 32);
}

TEST_CASE("deleted files that nobody reads give up their space in time, and are counted") {
  Logs logs;
  logs.config.max_deleted_bytes.value = 100'000;
  logs.config.max_read_bytes.value = 64 * 1024;
  logs.config.include = {logs.path("app.log"), logs.path("other.log")};
  Running run(logs.config, logs.data(), FakeOutput::Mode::kBlock);
  logs.Lines("app.log", 0, 50'000);
  REQUIRE(Eventually([&] { return run.out().sends() > 0; }));
  logs.Remove("app.log");
  // It notices when the sink lets it go on for a moment.
  REQUIRE(Eventually([&] {
    run.out().SetMode(FakeOutput::Mode::kAcknowledge);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    run.out().SetMode(FakeOutput::Mode::kBlock);
    return run.metric("file_abandoned_bytes_total") > 0 || run.out().size() == 50'000;
  }));
}

TEST_CASE("a rotated file gives out its last line without newline when it is finished") {
  Logs logs;
  logs.config.rotate_wait = std::chrono::milliseconds(100);
  Running run(logs.config, logs.data());
  logs.Append("app.log", "one\nlast");
  REQUIRE(run.Wait(1));
  logs.Rename("app.log", "app.log.1");
  logs.Append("app.log", "new\n");
  REQUIRE(run.Wait(3));
  auto texts = run.out().texts();
  std::sort(texts.begin(), texts.end());
  CHECK(texts == std::vector<std::string>{"last", "new", "one"});
}

TEST_CASE("damaged compressed files end where the damage is") {
  Logs logs;
  logs.config.include = {logs.path("*.gz"), logs.path("app.log")};
  logs.Lines("z", 0, 50'000);
  logs.Run(
      "gzip -c z > z.gz; dd if=/dev/urandom of=z.gz bs=1 seek=60000 count=500 conv=notrunc "
      "2>/dev/null; echo ok > app.log");
  Running run(logs.config, logs.data());
  REQUIRE(Eventually([&] {
    const auto texts = run.out().texts();
    return std::count(texts.begin(), texts.end(), "ok") == 1 &&
           run.metric("component_errors_total") > 0;
  }));
  CHECK(run.out().size() > 1000);
}

TEST_CASE("a lost queue of the kernel means a new look at everything") {
  std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
  std::size_t max = 0;
  limit >> max;
  if (max == 0 || max > 100'000) {
    WARN("max_queued_events is " << max << ": too large to fill here");
    return;
  }
  Logs logs;
  logs.config.include = {logs.path("*.log")};
  logs.Append("app.log", "first\n");
  Running run(logs.config, logs.data());
  REQUIRE(run.Wait(1));
  run.out().SetMode(FakeOutput::Mode::kBlock);
  const std::size_t sends = run.out().sends();
  logs.Append("app.log", "second\n");
  REQUIRE(Eventually([&] { return run.out().sends() > sends; }));
  // The guard empties the queue once a second: it has to be filled faster.
  const std::string noise = logs.path("noise");
  REQUIRE(Eventually([&] {
    for (std::size_t i = 0; i < max; ++i) {
      const millrace::Fd fd(
          ::open((noise + std::to_string(i % 50)).c_str(), O_CREAT | O_WRONLY, 0600));
      ::unlink((noise + std::to_string(i % 50)).c_str());
    }
    return run.metric("file_watch_overflows_total") >= 1;
  }));
  logs.Append("late.log", "third\n");
  run.out().SetMode(FakeOutput::Mode::kAcknowledge);
  REQUIRE(run.Wait(3));
  CHECK(run.out().texts() == std::vector<std::string>{"first", "second", "third"});
  CHECK(run.metric("file_watch_overflows_total") >= 1);
}

TEST_CASE("remove_after_secs removes what is delivered, nothing else") {
  Logs logs;
  logs.config.include = {logs.path("*.log")};
  logs.config.remove_after = std::chrono::milliseconds(10);
  logs.Lines("a.log", 0, 10);
  logs.Append("b.log", "line\nno end");
  Running run(logs.config, logs.data(), FakeOutput::Mode::kHold);
  REQUIRE(run.Wait(11));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(std::filesystem::exists(logs.path("a.log")));
  run.out().Release();
  CHECK(Eventually([&] { return !std::filesystem::exists(logs.path("a.log")); }));
  CHECK(std::filesystem::exists(logs.path("b.log")));
}

TEST_CASE("ignore_older_secs leaves old files alone until they are written to") {
  Logs logs;
  logs.config.include = {logs.path("*.log")};
  logs.config.ignore_older = std::chrono::hours(1);
  logs.Append("old.log", "a\n");
  logs.Run("touch -d '2 hours ago' old.log");
  Running run(logs.config, logs.data());
  logs.Append("new.log", "b\n");
  REQUIRE(run.Wait(1));
  logs.Append("old.log", "c\n");
  REQUIRE(run.Wait(3));
  CHECK(run.out().texts() == std::vector<std::string>{"b", "a", "c"});
}

}  // namespace
}  // namespace millrace::agent::test
