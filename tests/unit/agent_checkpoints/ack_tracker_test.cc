#include "agent/checkpoints/ack_tracker.h"

#include <random>
#include <thread>

#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

TEST_CASE("the position is the lowest unacknowledged one") {
  std::vector<std::uint64_t> seen;
  AckTracker tracker({100, 1}, [&](const AckTracker::Mark& m) { seen.push_back(m.position); });
  const auto a = tracker.Register({200, 2});
  const auto b = tracker.Register({300, 3});
  const auto c = tracker.Register({400, 4});
  CHECK(tracker.in_flight() == 3);
  tracker.Resolve(b, true);
  CHECK(tracker.position() == 100);
  tracker.Resolve(a, true);
  CHECK(tracker.mark() == AckTracker::Mark{300, 3});
  tracker.Resolve(c, true);
  CHECK(tracker.mark() == AckTracker::Mark{400, 4});
  CHECK(tracker.in_flight() == 0);
  CHECK(seen == std::vector<std::uint64_t>{300, 400});
}

TEST_CASE("a range that ended undelivered is never passed") {
  AckTracker tracker({0, 0});
  const auto a = tracker.Register({10, 0});
  const auto b = tracker.Register({20, 0});
  const auto c = tracker.Register({30, 0});
  tracker.Resolve(b, false);
  tracker.Resolve(a, true);
  tracker.Resolve(c, true);
  CHECK(tracker.position() == 10);
  CHECK(tracker.in_flight() == 0);
  CHECK(tracker.failed() == 1);
}

TEST_CASE("a token reports when its last reference goes") {
  auto tracker = std::make_shared<AckTracker>(AckTracker::Mark{});
  auto delivered = std::make_shared<RangeAck>(tracker, AckTracker::Mark{5, 0});
  auto silent = std::make_shared<RangeAck>(tracker, AckTracker::Mark{9, 0});
  delivered->AddHolder();
  delivered->Settle();
  delivered->Settle();
  CHECK(tracker->position() == 0);
  delivered.reset();
  CHECK(tracker->position() == 5);
  silent.reset();  // nobody settled it
  CHECK(tracker->position() == 5);
  CHECK(tracker->failed() == 1);
}

TEST_CASE("resolved in any order, by several threads, it ends at the end and holds no memory") {
  AckTracker::Mark last{};
  bool in_order = true;
  AckTracker tracker({}, [&](const AckTracker::Mark& m) {
    in_order = in_order && m.position > last.position;
    last = m;
  });
  constexpr std::uint64_t kRanges = 20'000;
  std::vector<std::uint64_t> handles;
  for (std::uint64_t i = 1; i <= kRanges; ++i) handles.push_back(tracker.Register({i * 10, i}));
  std::shuffle(handles.begin(), handles.end(), std::mt19937(7));
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < handles.size(); i += 4) tracker.Resolve(handles[i], true);
    });
  threads.clear();
  CHECK(in_order);
  CHECK(tracker.mark() == AckTracker::Mark{kRanges * 10, kRanges});
  CHECK(tracker.in_flight() == 0);
}

TEST_CASE("registering and resolving may interleave for ever") {
  AckTracker tracker({});
  std::mt19937 random(3);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> open;
  std::uint64_t next = 0;
  for (int i = 0; i < 50'000; ++i) {
    if (open.empty() || (open.size() < 300 && random() % 2 == 0)) {
      ++next;
      open.emplace_back(tracker.Register({next, 0}), next);
    } else {
      const std::size_t k = random() % open.size();
      tracker.Resolve(open[k].first, true);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(k));
    }
    std::uint64_t lowest = next;
    for (const auto& [handle, end] : open) lowest = std::min(lowest, end - 1);
    REQUIRE(tracker.position() == lowest);
  }
}

}  // namespace
}  // namespace millrace::agent
