#include <chrono>
#include <functional>

#include "tests/support/catch.h"
#include "tests/unit/agent_transforms/harness.h"

namespace millrace::agent {
namespace {

using Out = std::vector<std::string>;

struct Probe final : AckToken {
  Probe(int number, std::vector<int>* delivered, std::vector<int>* lost)
      : number_(number), delivered_(delivered), lost_(lost) {}
  ~Probe() override { (delivered() ? delivered_ : lost_)->push_back(number_); }
  int number_;
  std::vector<int>*delivered_, *lost_;
};

/// What a lane does: apply, sweep, deliver at once.
struct Lane {
  explicit Lane(const std::string& yaml) {
    Made made = MakeTransform(yaml);
    INFO(made.problems);
    REQUIRE(made.transform != nullptr);
    transform = made.transform->Clone();
  }
  void Send(const Out& lines, const std::string& stream = "s") {
    auto batch = Lines(lines);
    batch->stream = HashStream(stream);
    batch->AddCommon(Field::String("file", batch->arena.Copy(stream)));
    batch->acks.push_back(std::make_shared<Probe>(++sent, &delivered, &lost));
    transform->Apply(*batch);
    batch->Sweep();
    Deliver(std::move(batch));
  }
  void Flush(bool final) {
    for (auto& batch : transform->Flush(final)) Deliver(std::move(batch));
  }
  void Deliver(std::unique_ptr<EventBatch> batch) {
    for (std::size_t i = 0; i < batch->size(); ++i) {
      out.emplace_back(batch->Find(i, "message")->text());
      files.emplace_back(batch->Find(i, "file")->text());
      positions.push_back(batch->event(i).position);
    }
    std::shared_ptr<EventBatch> sealed = std::move(batch);
    BatchView view(sealed);
    sealed->Routed();
    sealed.reset();
    view.Delivered();
  }
  std::unique_ptr<Transform> transform;
  Out out, files;
  std::vector<std::uint64_t> positions;
  std::vector<int> delivered, lost;
  int sent = 0;
};

Out Joined(const std::string& yaml, const Out& lines) {
  // Whatever the cuts between batches, the outcome is the same.
  Out first;
  for (std::size_t cut = 1; cut <= lines.size(); ++cut) {
    Lane lane(yaml);
    for (std::size_t i = 0; i < lines.size(); i += cut)
      lane.Send(Out(lines.begin() + static_cast<std::ptrdiff_t>(i),
                    lines.begin() + static_cast<std::ptrdiff_t>(std::min(i + cut, lines.size()))));
    lane.Flush(true);
    if (first.empty()) first = lane.out;
    CHECK(lane.out == first);
    CHECK(lane.lost.empty());
    CHECK(lane.delivered.size() == static_cast<std::size_t>(lane.sent));
  }
  return first;
}

TEST_CASE("patterns say where a message starts, goes on and ends") {
  CHECK(Joined("{type: multiline, start_pattern: '^\\d'}", {"x", "1 a", "b", "c", "2 d", "3 e"}) ==
        Out{"x", "1 a\nb\nc", "2 d", "3 e"});
  CHECK(Joined("{type: multiline, continuation_pattern: '^\\s'}",
               {" x", "a", " b", "c", "d", " e"}) == Out{" x", "a\n b", "c", "d\n e"});
  CHECK(Joined("{type: multiline, start_pattern: '^BEGIN', end_pattern: '^END'}",
               {"a", "BEGIN", "b", "END", "c", "BEGIN", "d", "BEGIN", "END"}) ==
        Out{"a", "BEGIN\nb\nEND", "c", "BEGIN\nd", "BEGIN\nEND"});
  CHECK(Joined("{type: multiline, end_pattern: ';$', separator: ' '}", {"a", "b;", "c;", "d"}) ==
        Out{"a b;", "c;", "d"});
  CHECK(Joined("{type: multiline, continued_pattern: '\\\\$'}", {"a\\", "b\\", "c", "d"}) ==
        Out{"a\\\nb\\\nc", "d"});
  CHECK(Joined("{type: multiline, start_pattern: '^E', continuation_pattern: '^\\s'}",
               {"E1", " a", "x", " b", "E2"}) == Out{"E1\n a", "x", " b", "E2"});
}

TEST_CASE("presets join stack traces") {
  CHECK(
      Joined("{type: multiline, presets: [java, python, go]}",
             {"start", "java.lang.IllegalStateException: null", "\tat a.B.c(B.java:1)",
              "Caused by: java.lang.NullPointerException", "\tat d.E.f(E.java:2)", "\t... 12 more",
              "next", "Traceback (most recent call last):", "  File \"a.py\", line 1, in f",
              "    raise ValueError(1)", "ValueError: 1", "after", "panic: boom", "",
              "goroutine 1 [running]:", "main.main()", "\t/tmp/x.go:4 +0x39", "exit status 2",
              "end"}) ==
      Out{"start",
          "java.lang.IllegalStateException: null\n\tat a.B.c(B.java:1)\nCaused by: "
          "java.lang.NullPointerException\n\tat d.E.f(E.java:2)\n\t... 12 more",
          "next",
          "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    raise "
          "ValueError(1)\nValueError: 1",
          "after",
          "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/tmp/x.go:4 +0x39\nexit status 2",
          "end"});
  for (const char* name : {"java", "python", "go", "ruby", "php", "dotnet", "javascript"})
    CHECK(
        MakeTransform(std::string("{type: multiline, presets: [") + name + "]}").problems.empty());
}

TEST_CASE("a message over several batches keeps all their tokens until it is delivered") {
  Lane lane("{type: multiline, start_pattern: '^S', timeout_ms: 60000}");
  lane.Send({"S1", "a"});
  lane.Send({"b"});
  lane.Send({"c"});
  CHECK(lane.out.empty());
  CHECK(lane.delivered.empty());
  lane.Flush(false);
  CHECK(lane.out.empty());
  lane.Send({"S2", "d", "S3"});
  CHECK(lane.out == Out{"S1\na\nb\nc", "S2\nd"});
  // The fourth batch still has S3 open.
  CHECK(lane.delivered == std::vector<int>{1, 2, 3});
  CHECK(lane.positions == std::vector<std::uint64_t>{0, 0});
  CHECK(lane.files == Out{"s", "s"});
  lane.Flush(true);
  CHECK(lane.out.back() == "S3");
  CHECK(lane.positions.back() == 5);
  CHECK(lane.delivered == std::vector<int>{1, 2, 3, 4});
}

TEST_CASE("what is held when the agent dies is not delivered") {
  std::vector<int> delivered, lost;
  {
    Lane lane("{type: multiline, start_pattern: '^S'}");
    lane.Send({"S1"});
    lane.transform.reset();
    CHECK(lane.lost == std::vector<int>{1});
    CHECK(lane.delivered.empty());
  }
}

TEST_CASE("streams and groups are kept apart") {
  Lane lane("{type: multiline, start_pattern: '^S'}");
  lane.Send({"S1"}, "a");
  lane.Send({"S2"}, "b");
  lane.Send({"x"}, "a");
  lane.Send({"y"}, "b");
  lane.Flush(true);
  std::sort(lane.out.begin(), lane.out.end());
  CHECK(lane.out == Out{"S1\nx", "S2\ny"});

  Made made =
      MakeTransform("{type: multiline, field: log, start_pattern: '^S', group_by: [stream]}");
  auto batch = Objects({R"({"log":"S1","stream":"out"})", R"({"log":"S2","stream":"err"})",
                        R"({"log":"x","stream":"out"})", R"({"log":"S3","stream":"out"})",
                        R"({"log":"y","stream":"err"})", R"({"log":"S4","stream":"err"})"});
  made.transform->Apply(*batch);
  batch->Sweep();
  CHECK(Show(*batch) ==
        Out{R"({"log":"S1\nx","stream":"out"})", R"({"log":"S2\ny","stream":"err"})"});
}

TEST_CASE("large messages are cut between lines, nothing is lost") {
  CHECK(Joined("{type: multiline, start_pattern: '^S', max_lines: 2}",
               {"S", "a", "b", "c", "d", "S2"}) == Out{"S\na", "b\nc", "d", "S2"});
  CHECK(Joined("{type: multiline, start_pattern: '^S', max_bytes: 5}", {"S", "aaa", "bbb", "c"}) ==
        Out{"S\naaa", "bbb\nc"});
}

TEST_CASE("a message to which nothing comes is given out after the timeout") {
  Lane lane("{type: multiline, start_pattern: '^S', timeout_ms: 1}");
  lane.Send({"S1", "a"});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (lane.out.empty() && std::chrono::steady_clock::now() < deadline) lane.Flush(false);
  CHECK(lane.out == Out{"S1\na"});
  CHECK(lane.delivered == std::vector<int>{1});
}

TEST_CASE("lines that lie behind each other are joined without a copy") {
  Made made = MakeTransform("{type: multiline, continuation_pattern: '^ '}");
  auto batch = std::make_unique<EventBatch>();
  const std::string_view text = batch->arena.Copy("a\n b\n c\nd\n");
  for (const auto& [at, n] : {std::pair{0, 1}, {2, 2}, {5, 2}, {8, 1}}) {
    batch->Begin(static_cast<std::uint64_t>(at), 0);
    batch->Append(Field::String(
        "message", text.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(n))));
  }
  made.transform->Apply(*batch);
  batch->Sweep();
  REQUIRE(batch->size() == 1);
  CHECK(batch->Find(0, "message")->text() == "a\n b\n c");
  CHECK(batch->Find(0, "message")->text().data() == text.data());
}

TEST_CASE("faults of a multiline configuration") {
  CHECK(MakeTransform("type: multiline").problems.find("needs patterns, presets or rules") !=
        std::string::npos);
  CHECK(MakeTransform("{type: multiline, start_pattern: '('}").problems.find("does not compile") !=
        std::string::npos);
  CHECK(MakeTransform("{type: multiline, presets: [jav]}").problems.find("did you mean \"java\"") !=
        std::string::npos);
  CHECK(MakeTransform("{type: multiline, presets: [java], start_pattern: x}")
            .problems.find("exclude each other") != std::string::npos);
}

}  // namespace
}  // namespace millrace::agent
