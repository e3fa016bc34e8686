#include "agent/sources/kafka/handoff.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/sink_input.h"

namespace millrace::agent {
namespace {

TEST_CASE("the handoff counts bytes, forgets a stream and closes") {
  const auto batch = [](const char* stream) {
    auto b = testing::Messages({"x"});
    b->stream = HashStream(stream);
    return b;
  };
  kafka::Handoff handoff(1);
  const std::stop_token never;
  CHECK_FALSE(handoff.Full());
  handoff.Push(batch("a"));
  handoff.Push(batch("b"));
  CHECK(handoff.Full());
  CHECK_FALSE(handoff.WaitForRoom(std::chrono::milliseconds(1)));
  handoff.Remove(HashStream("a"));
  const auto left = handoff.Pop(never);
  REQUIRE(left != nullptr);
  CHECK(left->stream == HashStream("b"));
  CHECK(handoff.HalfEmpty());
  handoff.Push(batch("c"));
  handoff.Close();
  CHECK(handoff.Pop(never) == nullptr);
  handoff.Push(batch("d"));
  CHECK(handoff.Pop(never) == nullptr);
}

TEST_CASE("batches cross threads in order while the producer waits for room") {
  kafka::Handoff handoff(4096);
  std::stop_source stop;
  std::jthread producer([&] {
    for (std::uint64_t i = 0; i < 2000; ++i) {
      while (handoff.Full()) static_cast<void>(handoff.WaitForRoom(std::chrono::milliseconds(50)));
      handoff.Push(testing::Messages({"x"}, i));
    }
  });
  std::uint64_t next = 0;
  while (next < 2000) {
    const auto batch = handoff.Pop(stop.get_token());
    REQUIRE(batch != nullptr);
    REQUIRE(batch->event(0).position == next++);
  }
  producer.join();
  // A stop wakes the thread that waits for the next batch.
  std::jthread waiting([&] { CHECK(handoff.Pop(stop.get_token()) == nullptr); });
  stop.request_stop();
}

}  // namespace
}  // namespace millrace::agent
