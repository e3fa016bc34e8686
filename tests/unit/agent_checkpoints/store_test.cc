#include "agent/checkpoints/store.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/checkpoints/log.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace millrace::agent {
namespace {

using Mark = AckTracker::Mark;

std::unique_ptr<CheckpointStore> Open(const std::string& folder,
                                      std::chrono::milliseconds interval = {}) {
  CheckpointStore::Options options;
  options.folder = folder;
  if (interval.count() > 0) options.sync_interval = interval;
  auto store = CheckpointStore::Open(options);
  if (!store) FAIL(store.error().message);
  return std::move(*store);
}

const CheckpointRecord* Find(const std::vector<CheckpointRecord>& all, std::string_view key) {
  for (const CheckpointRecord& r : all)
    if (r.key == key) return &r;
  return nullptr;
}

bool Eventually(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

TEST_CASE("what was put and saved is there after a restart, any bytes, in order") {
  const test::TempDir dir;
  const std::string odd("a b\n%\0\xff", 7);
  {
    auto store = Open(dir.path());
    CHECK(store->first_start());
    auto slot = store->Put({"k1", odd, {5, 1}});
    store->Put({odd, "", {7, 2}});
    store->Put({"gone", "x", {1, 1}});
    store->Remove("gone");
    slot->Save({50, 0xffffffffffffffffULL});
    CHECK(store->Close());
  }
  auto store = Open(dir.path());
  CHECK_FALSE(store->first_start());
  const auto all = store->TakeLoaded();
  REQUIRE(all.size() == 2);
  CHECK(all[0].key == "k1");
  CHECK(all[0].detail == odd);
  CHECK(all[0].mark == Mark{50, 0xffffffffffffffffULL});
  CHECK(all[1].key == odd);
  CHECK(all[1].detail.empty());
  CHECK(all[1].mark == Mark{7, 2});
}

TEST_CASE("a killed process leaves every saved position behind, without any sync") {
  const test::TempDir dir;
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = Open(dir.path(), std::chrono::hours(1));
    auto slot = store->Put({"k", "d", {0, 0}});
    if (!store->Write()) ::_exit(1);
    for (std::uint64_t i = 1; i <= 1000; ++i) slot->Save({i, i * 3});
    ::raise(SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  auto store = Open(dir.path());
  const auto all = store->TakeLoaded();
  REQUIRE(Find(all, "k") != nullptr);
  CHECK(Find(all, "k")->mark == Mark{1000, 3000});
}

TEST_CASE("a slot that is used again is not taken for its former owner's") {
  const test::TempDir dir;
  {
    auto store = Open(dir.path());
    auto old = store->Put({"old", "", {0, 0}});
    old->Save({999, 9});
    store->Remove("old");
    store->Put({"new", "", {3, 4}});
    old->Save({1000, 9});  // a late acknowledgement
    CHECK(store->Write());
  }
  auto store = Open(dir.path());
  const auto all = store->TakeLoaded();
  REQUIRE(all.size() == 1);
  CHECK(all[0].mark == Mark{3, 4});
}

TEST_CASE("damage costs the damaged lines only") {
  const test::TempDir dir;
  {
    auto store = Open(dir.path());
    for (int i = 0; i < 10; ++i) store->Put({"k" + std::to_string(i), "d", {1, 1}});
    CHECK(store->Close());
  }
  const std::string path = dir.path() + "/checkpoints";
  std::string text = *ReadFile(path);
  text[text.find("k4")] = 'x';
  text.resize(text.size() - 5);  // k9 torn
  std::ofstream(path, std::ios::trunc) << text;
  auto store = Open(dir.path());
  CHECK(store->damaged() == 2);
  CHECK_FALSE(store->first_start());
  CHECK(store->TakeLoaded().size() == 8);
}

TEST_CASE("a file that is no checkpoint is put aside, and it is not a first start") {
  const test::TempDir dir;
  std::ofstream(dir.path() + "/checkpoints") << "garbage";
  auto store = Open(dir.path());
  CHECK_FALSE(store->first_start());
  CHECK(store->TakeLoaded().empty());
  CHECK(std::filesystem::exists(dir.path() + "/checkpoints.damaged"));
}

TEST_CASE("a newer version is refused, and so is a second process") {
  const test::TempDir dir;
  std::ofstream(dir.path() + "/checkpoints") << "millrace-checkpoints 2 0\n";
  CheckpointStore::Options options;
  options.folder = dir.path();
  auto store = CheckpointStore::Open(options);
  REQUIRE_FALSE(store);
  CHECK(store.error().code == ErrorCode::kInvalidArgument);
  const test::TempDir other;
  auto first = Open(other.path());
  options.folder = other.path();
  auto second = CheckpointStore::Open(options);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::kResourceExhausted);
}

TEST_CASE("the log is rewritten when it has grown, while positions move") {
  const test::TempDir dir;
  {
    auto store = Open(dir.path(), std::chrono::milliseconds(1));
    auto slot = store->Put({"k", std::string(1000, 'd'), {0, 0}});
    const std::string path = dir.path() + "/checkpoints";
    std::uint64_t written = 0;
    bool shrank = Eventually([&] {
      for (int i = 0; i < 100; ++i) {
        store->Put({"k", std::string(1000, 'd'), {0, 0}});
        CHECK(store->Write());
        slot->Save({++written, 0});
      }
      return written > 2000 && std::filesystem::file_size(path) < 250'000;
    });
    CHECK(shrank);
    CHECK(store->Close());
    auto again = Open(dir.path() + "/x");
    static_cast<void>(again);
    slot->Save({written + 1, 0});
  }
  auto store = Open(dir.path());
  const auto all = store->TakeLoaded();
  REQUIRE(all.size() == 1);
  CHECK(all[0].mark.position > 2000);
}

TEST_CASE("a full disk stops nothing and is made good later") {
  // RLIMIT_FSIZE stands in for ENOSPC: writes beyond it fail with EFBIG.
  const test::TempDir dir;
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    MetricsRegistry registry;
    Metrics metrics(registry, "a", "source", "file");
    CheckpointStore::Options options;
    options.folder = dir.path();
    options.sync_interval = std::chrono::milliseconds(5);
    options.write_failures = metrics.GetCounter("failures", "f");
    auto store = CheckpointStore::Open(options);
    if (!store) ::_exit(1);
    auto first = (*store)->Put({"first", "d", {0, 0}});
    if (!(*store)->Write()) ::_exit(2);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 1;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto second = (*store)->Put({"second", "d", {0, 0}});
    if ((*store)->Write()) ::_exit(3);
    first->Save({10, 1});
    second->Save({20, 1});
    if (!Eventually([&] { return options.write_failures.value() > 3; })) ::_exit(4);
    limit.rlim_cur = before;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const bool good = Eventually([&] {
      const auto text = ReadFile(dir.path() + "/checkpoints");
      const auto log = text ? ParseCheckpointLog(*text) : Fail(ErrorCode::kParse, "");
      const auto slots = ReadFile(dir.path() + "/positions");
      return log && log->lines.size() >= 2 && slots && slots->size() >= 64;
    });
    if (!good) ::_exit(5);
    ::raise(SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  INFO("exit " << WEXITSTATUS(status));
  REQUIRE(WIFSIGNALED(status));
  auto store = Open(dir.path());
  const auto all = store->TakeLoaded();
  REQUIRE(Find(all, "first") != nullptr);
  REQUIRE(Find(all, "second") != nullptr);
  CHECK(Find(all, "first")->mark.position == 10);
  CHECK(Find(all, "second")->mark.position == 20);
}

}  // namespace
}  // namespace millrace::agent
