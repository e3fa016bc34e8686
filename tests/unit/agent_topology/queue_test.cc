#include "agent/topology/queue.h"

#include <thread>

#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

using Queue = BoundedQueue<int>;
constexpr auto kForever = std::chrono::steady_clock::time_point::max();

TEST_CASE("a queue is bounded by bytes and keeps order") {
  MemoryBudget budget(1000);
  Queue queue(100, budget);
  CHECK(queue.Push(1, 60, false, {}) == Queue::Pushed::kYes);
  CHECK(queue.Push(2, 60, false, {}) == Queue::Pushed::kFull);
  CHECK(queue.Push(3, 40, false, {}) == Queue::Pushed::kYes);
  CHECK(budget.used() == 100);
  int out = 0;
  CHECK(queue.Pop(out, kForever) == SinkInput::Pop::kItem);
  CHECK(out == 1);
  queue.Close();
  CHECK(queue.Pop(out, kForever) == SinkInput::Pop::kItem);
  CHECK(out == 3);
  CHECK(queue.Pop(out, kForever) == SinkInput::Pop::kClosed);
  CHECK(budget.used() == 0);
}

TEST_CASE("what is larger than the queue passes alone") {
  MemoryBudget budget(1000);
  Queue queue(100, budget);
  CHECK(queue.Push(1, 5000, false, {}) == Queue::Pushed::kYes);
  CHECK(queue.Push(2, 1, false, {}) == Queue::Pushed::kFull);
}

TEST_CASE("a stuck queue leaves the others their share of the budget") {
  MemoryBudget budget(100);
  Queue stuck(100, budget), other(100, budget);
  CHECK(stuck.Push(1, 100, false, {}) == Queue::Pushed::kYes);
  CHECK(other.Push(1, 30, false, {}) == Queue::Pushed::kYes);
  CHECK(other.Push(2, 20, false, {}) == Queue::Pushed::kYes);
  CHECK(other.Push(3, 20, false, {}) == Queue::Pushed::kFull);
}

TEST_CASE("a sender waits for room and gives up on a stop") {
  MemoryBudget budget(100);
  Queue queue(10, budget);
  CHECK(queue.Push(1, 10, true, {}) == Queue::Pushed::kYes);
  std::stop_source stop;
  Queue::Pushed second{}, third{};
  std::thread sender([&] {
    second = queue.Push(2, 10, true, stop.get_token());
    third = queue.Push(3, 10, true, stop.get_token());
  });
  int out = 0;
  CHECK(queue.Pop(out, kForever) == SinkInput::Pop::kItem);
  while (queue.size() == 0) std::this_thread::yield();
  stop.request_stop();
  sender.join();
  CHECK(second == Queue::Pushed::kYes);
  CHECK(third == Queue::Pushed::kStopped);
}

TEST_CASE("waiting for an item ends at the deadline") {
  MemoryBudget budget(100);
  Queue queue(10, budget);
  int out = 0;
  CHECK(queue.Pop(out, std::chrono::steady_clock::now() + std::chrono::milliseconds(1)) ==
        SinkInput::Pop::kTimeout);
}

}  // namespace
}  // namespace millrace::agent
