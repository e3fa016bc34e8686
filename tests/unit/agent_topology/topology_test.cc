#include "agent/topology/topology.h"

#include <algorithm>
#include <functional>
#include <map>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace millrace::agent {
namespace {

/// What became of the tokens.
struct Fates {
  std::atomic<int> delivered{0}, lost{0};
};
struct Token final : AckToken {
  explicit Token(Fates& f) : fates(f) {}
  ~Token() override { ++(delivered() ? fates.delivered : fates.lost); }
  Fates& fates;
};

/// A plan around a function.
template <class Interface>
struct Given final : Plan<Interface> {
  explicit Given(std::function<std::unique_ptr<Interface>()> m, std::vector<std::string> o = {})
      : make(std::move(m)), named(std::move(o)) {}
  Result<std::unique_ptr<Interface>> Make(const Context&) const override { return make(); }
  std::vector<std::string> outputs() const override { return named; }
  std::function<std::unique_ptr<Interface>()> make;
  std::vector<std::string> named;
};

/// Sends `batches` batches of four events numbered on, over `streams` streams.
struct Numbers final : Source {
  Numbers(Fates& f, int b, int s, bool w) : fates(f), batches(b), streams(s), wait(w) {}
  Status Run(std::stop_token stop, Output& out) override {
    for (int n = 0; n < batches; ++n) {
      auto batch = std::make_unique<EventBatch>();
      batch->stream = HashStream("stream " + std::to_string(n % streams));
      for (int k = 0; k < 4; ++k) {
        const int number = n * 4 + k;
        batch->Begin(static_cast<std::uint64_t>(number), 1);
        batch->Append(Field::Int("n", number));
      }
      batch->acks.push_back(std::make_shared<Token>(fates));
      MILLRACE_TRY(out.Send(std::move(batch)));
    }
    while (wait && !stop.stop_requested())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {};
  }
  Fates& fates;
  int batches, streams;
  bool wait;
};

/// Remembers numbers by stream.
struct Seen {
  std::mutex mu;
  std::map<std::uint64_t, std::vector<std::int64_t>> by_stream;
  std::size_t total = 0;
  std::size_t Total() {
    const std::lock_guard lock(mu);
    return total;
  }
};
struct Collect final : Sink {
  explicit Collect(Seen& s) : seen(s) {}
  Status Run(SinkInput& in, std::stop_token) override {
    BatchView view;
    while (in.Next(view) == SinkInput::Pop::kItem) {
      {
        const std::lock_guard lock(seen.mu);
        for (const Event& e : view->events()) {
          seen.by_stream[view->stream.low].push_back(view->Find(e, "n")->i64);
          ++seen.total;
        }
      }
      view.Delivered();
    }
    return {};
  }
  Seen& seen;
};
/// Takes nothing until it is told to stop.
struct Dead final : Sink {
  Status Run(SinkInput&, std::stop_token stop) override {
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {};
  }
};
/// Sends odd numbers to the output "odd" and drops the multiples of ten.
struct Sort final : Transform {
  void Apply(EventBatch& batch) override {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::int64_t n = batch.Find(i, "n")->i64;
      batch.event(i).output = n % 2 == 1 ? 1 : 0;
      if (n % 10 == 0) batch.Drop(i);
    }
  }
  std::span<const std::string> outputs() const override { return names; }
  std::unique_ptr<Transform> Clone() const override { return std::make_unique<Sort>(); }
  std::vector<std::string> names = {"odd"};
};

struct Setup {
  test::TempDir dir;
  AgentConfig config;
  MetricsRegistry metrics;
  Fates fates;
  void Source(const std::string& id, int batches, int streams = 1, std::uint32_t threads = 1,
              bool wait = false) {
    SourceSpec spec;
    spec.id = id;
    spec.type = "numbers";
    spec.threads = threads;
    spec.plan = std::make_unique<Given<agent::Source>>(
        [=, this] { return std::make_unique<Numbers>(fates, batches, streams, wait); });
    config.sources.push_back(std::move(spec));
  }
  void Sink(const std::string& id, std::vector<std::string> inputs,
            std::function<std::unique_ptr<agent::Sink>()> make, bool required = true) {
    SinkSpec spec;
    spec.id = id;
    spec.type = "given";
    spec.inputs = std::move(inputs);
    spec.required = required;
    spec.buffer.max_bytes.value = 64 * 1024;
    spec.plan = std::make_unique<Given<agent::Sink>>(std::move(make));
    config.sinks.push_back(std::move(spec));
  }
  std::unique_ptr<Topology> Make() {
    config.global.data_dir = dir.path();
    config::Problems problems;
    Graph graph = BuildGraph(config, problems);
    REQUIRE(problems.Text() == "");
    auto made = Topology::Make(std::move(config), std::move(graph), metrics);
    REQUIRE(made);
    return std::move(*made);
  }
};
void Await(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  REQUIRE(done());
}

TEST_CASE("two sinks get every event once and every token is delivered") {
  Setup s;
  Seen a, b;
  s.Source("in", 500);
  s.Sink("a", {"in"}, [&] { return std::make_unique<Collect>(a); });
  s.Sink("b", {"in"}, [&] { return std::make_unique<Collect>(b); });
  auto topology = s.Make();
  topology->Start();
  Await([&] { return topology->SourcesEnded(); });
  CHECK(topology->Stop(std::chrono::seconds(60)));
  CHECK(a.total == 2000);
  CHECK(b.total == 2000);
  CHECK(s.fates.delivered == 500);
  CHECK(s.fates.lost == 0);
}

TEST_CASE("with several lanes each stream keeps its order") {
  Setup s;
  Seen seen;
  s.Source("in", 600, 7, 3);
  s.Sink("out", {"in"}, [&] { return std::make_unique<Collect>(seen); });
  auto topology = s.Make();
  topology->Start();
  Await([&] { return topology->SourcesEnded(); });
  CHECK(topology->Stop(std::chrono::seconds(60)));
  CHECK(seen.total == 2400);
  CHECK(seen.by_stream.size() == 7);
  for (const auto& [stream, numbers] : seen.by_stream)
    CHECK(std::is_sorted(numbers.begin(), numbers.end()));
  CHECK(s.fates.delivered == 600);
}

TEST_CASE("named outputs, dropped events and an output that nobody reads") {
  for (const bool read_odd : {true, false}) {
    Setup s;
    Seen even, odd;
    s.Source("in", 100);
    TransformSpec spec;
    spec.id = "sort";
    spec.type = "sort";
    spec.inputs = {"in"};
    spec.plan = std::make_unique<Given<Transform>>([] { return std::make_unique<Sort>(); },
                                                   std::vector<std::string>{"odd"});
    s.config.transforms.push_back(std::move(spec));
    s.Sink("even", {"sort"}, [&] { return std::make_unique<Collect>(even); });
    if (read_odd) s.Sink("odd", {"sort.odd"}, [&] { return std::make_unique<Collect>(odd); });
    auto topology = s.Make();
    topology->Start();
    Await([&] { return topology->SourcesEnded(); });
    CHECK(topology->Stop(std::chrono::seconds(60)));
    CHECK(even.total == 160);  // 200 even numbers, of which 40 are multiples of ten
    CHECK(odd.total == (read_odd ? 200U : 0U));
    CHECK(s.fates.delivered == 100);
    CHECK(s.fates.lost == 0);
    double unread = 0;
    for (const auto& sample : s.metrics.Samples())
      for (const auto& [name, value] : sample.labels)
        if (name == "reason" && value == "output_not_read") unread += sample.value;
    CHECK(unread == (read_odd ? 0 : 200));
  }
}

TEST_CASE("a sink that is not required never slows the others; its drops are counted") {
  Setup s;
  Seen seen;
  s.Source("in", 2000);
  s.Sink("out", {"in"}, [&] { return std::make_unique<Collect>(seen); });
  s.Sink("dead", {"in"}, [] { return std::make_unique<Dead>(); }, false);
  auto topology = s.Make();
  topology->Start();
  Await([&] { return topology->SourcesEnded() && seen.Total() == 8000; });
  CHECK(topology->Stop(std::chrono::milliseconds(50)));
  CHECK(s.fates.delivered == 2000);
  double dropped = 0;
  for (const auto& sample : s.metrics.Samples())
    for (const auto& [name, value] : sample.labels)
      if (name == "reason" && value == "buffer_full") dropped += sample.value;
  CHECK(dropped > 0);
}

TEST_CASE(
    "a dead required sink: the source waits, a stop ends in time, nothing counts as delivered") {
  Setup s;
  s.Source("in", 100'000);
  s.Sink("dead", {"in"}, [] { return std::make_unique<Dead>(); });
  auto topology = s.Make();
  topology->Start();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK_FALSE(topology->SourcesEnded());
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(topology->Stop(std::chrono::milliseconds(100)));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  CHECK(s.fates.delivered == 0);
  CHECK(s.fates.lost > 0);
}

TEST_CASE("a component that fails is reported") {
  struct Broken final : Sink {
    Status Run(SinkInput&, std::stop_token) override {
      return Fail(ErrorCode::kInternal, "no such luck");
    }
  };
  Setup s;
  s.Source("in", 1, 1, 1, true);
  s.Sink("out", {"in"}, [] { return std::make_unique<Broken>(); });
  std::atomic<int> events{0};
  auto topology = s.Make();
  topology->Start([&] { ++events; });
  Await([&] { return topology->Failed(); });
  CHECK(topology->Failure() == "sinks.out: no such luck");
  CHECK(events > 0);
}

}  // namespace
}  // namespace millrace::agent
