#include <unistd.h>

#include "agent/sources/stdin/stdin_source.h"
#include "tests/unit/agent_file/harness.h"

namespace millrace::agent::test {
namespace {

TEST_CASE("standard input is read to its end, with the last line; a stop ends it before") {
  MetricsRegistry registry;
  Context context;
  context.metrics = std::make_shared<Metrics>(registry, "t", "source", "stdin");
  context.host = "box";
  int pipe_fds[2];
  REQUIRE(::pipe(pipe_fds) == 0);
  const Fd in(pipe_fds[0]);
  Fd writer(pipe_fds[1]);
  StdinSource source(StdinConfig{}, context, in.get());
  FakeOutput out;
  std::jthread thread(
      [&](const std::stop_token& stop) { static_cast<void>(source.Run(stop, out)); });
  REQUIRE(WriteAll(writer.get(), "one\r\ntwo\nth"));
  REQUIRE(Eventually([&] { return out.size() == 2; }));
  SECTION("the end") {
    REQUIRE(WriteAll(writer.get(), "ree"));
    writer.Reset();
    thread.join();
    CHECK(out.texts() == std::vector<std::string>{"one", "two", "three"});
    CHECK(context.metrics->received_events.value() == 3);
  }
  SECTION("a stop") {
    thread.request_stop();
    thread.join();
    CHECK(out.size() == 2);
  }
}

}  // namespace
}  // namespace millrace::agent::test
