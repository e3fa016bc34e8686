#include "agent/topology/topology.h"

#include <array>
#include <condition_variable>

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

/// A lane with more than one thread reads from this much of waiting input.
constexpr std::size_t kLaneQueueBytes = 1 << 20;

void NameThread(const std::string& name) {
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
}

std::string HostName(const GlobalConfig& config) {
  if (!config.host.empty()) return config.host;
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

struct Topology::SinkRun final : SinkInput {
  SinkRun(std::size_t max_bytes, MemoryBudget& budget) : queue(max_bytes, budget) {}
  Pop Next(BatchView& out, std::chrono::steady_clock::time_point deadline) override {
    return queue.Pop(out, deadline);
  }
  bool Empty() const override { return queue.Empty(); }

  std::string id;
  std::unique_ptr<Sink> sink;
  BoundedQueue<BatchView> queue;
  std::shared_ptr<Metrics> metrics;
  std::atomic<bool> done{false};
  std::jthread thread;
};

/// A lane on a thread of its own.
struct Topology::LaneRun {
  LaneRun(MemoryBudget& budget) : queue(kLaneQueueBytes, budget) {}
  std::unique_ptr<Lane> lane;
  BoundedQueue<std::unique_ptr<EventBatch>> queue;
  std::jthread thread;
};

struct Topology::SourceRun final : Output {
  Status Send(std::unique_ptr<EventBatch> batch) override {
    if (lanes.size() == 1) return lanes[0]->lane->Process(std::move(batch));
    // A stream always goes to the same lane: that keeps its order.
    LaneRun& lane = *lanes[batch->stream.low % lanes.size()];
    const std::size_t bytes = batch->Footprint();
    if (lane.queue.Push(std::move(batch), bytes, true, stop.get_token()) !=
        BoundedQueue<std::unique_ptr<EventBatch>>::Pushed::kYes)
      return millrace::Fail(ErrorCode::kCancelled, "stopped while waiting for a lane");
    return {};
  }

  std::string id;
  std::unique_ptr<Source> source;
  std::shared_ptr<Metrics> metrics;
  std::stop_source stop;
  std::vector<std::unique_ptr<LaneRun>> lanes;
  std::jthread thread;
};

Topology::Topology(AgentConfig config, Graph graph)
    : config_(std::move(config)),
      graph_(std::move(graph)),
      budget_(config_.global.memory_max_bytes.value) {}

Result<std::unique_ptr<Topology>> Topology::Make(AgentConfig config, Graph graph,
                                                 MetricsRegistry& registry) {
  auto t = std::unique_ptr<Topology>(new Topology(std::move(config), std::move(graph)));
  const GlobalConfig& global = t->config_.global;
  const std::string host = HostName(global);
  const auto context = [&](const std::string& kind, const auto& spec) {
    Context c;
    c.id = spec.id;
    c.data_dir = fmt::format("{}/{}s/{}", global.data_dir, kind, spec.id);
    c.metrics = std::make_shared<Metrics>(registry, spec.id, kind, spec.type);
    c.host = host;
    if (kind != "transform") t->data_dirs_.push_back(c.data_dir);
    return c;
  };

  for (const SinkSpec& spec : t->config_.sinks) {
    const Context c = context("sink", spec);
    auto made = spec.plan->Make(c);
    if (!made) return tl::make_unexpected(std::move(made).error().Within("sinks." + spec.id));
    auto run = std::make_unique<SinkRun>(spec.buffer.max_bytes.value, t->budget_);
    run->id = spec.id;
    run->sink = std::move(*made);
    run->metrics = c.metrics;
    t->sink_ports_.push_back({&run->queue, spec.required, spec.buffer.when_full, c.metrics});
    const Gauge bytes =
        c.metrics->GetGauge("buffer_bytes", "Bytes kept alive by what waits in the sink's queue.");
    const Gauge batches =
        c.metrics->GetGauge("buffer_batches", "Batches that wait in the sink's queue.");
    c.metrics->GetGauge("buffer_max_bytes", "Limit of the sink's queue.")
        .Set(static_cast<double>(run->queue.max_bytes()));
    t->refresh_.push_back(registry.OnScrape([bytes, batches, queue = &run->queue] {
      bytes.Set(static_cast<double>(queue->bytes()));
      batches.Set(static_cast<double>(queue->size()));
    }));
    t->sinks_.push_back(std::move(run));
  }
  for (const TransformSpec& spec : t->config_.transforms) {
    const Context c = context("transform", spec);
    auto made = spec.plan->Make(c);
    if (!made) return tl::make_unexpected(std::move(made).error().Within("transforms." + spec.id));
    t->prototypes_.push_back(std::move(*made));
    t->transform_ports_.push_back({t->prototypes_.back().get(), c.metrics});
  }
  for (std::size_t i = 0; i < t->config_.sources.size(); ++i) {
    const SourceSpec& spec = t->config_.sources[i];
    Context c = context("source", spec);
    c.acknowledgements = t->graph_.source_acknowledged[i];
    auto made = spec.plan->Make(c);
    if (!made) return tl::make_unexpected(std::move(made).error().Within("sources." + spec.id));
    auto run = std::make_unique<SourceRun>();
    run->id = spec.id;
    run->source = std::move(*made);
    run->metrics = c.metrics;
    for (std::uint32_t n = 0; n < spec.threads; ++n) {
      auto lane = std::make_unique<LaneRun>(t->budget_);
      lane->lane = std::make_unique<Lane>(t->graph_, t->transform_ports_, t->sink_ports_,
                                          t->graph_.sources[i], c.metrics, run->stop.get_token());
      run->lanes.push_back(std::move(lane));
    }
    t->sources_.push_back(std::move(run));
  }
  t->refresh_.push_back(registry.OnScrape(
      [used = registry.GetGauge("memory_budget_used_bytes", "Bytes that all queues hold.", {}),
       budget = &t->budget_] { used.Set(static_cast<double>(budget->used())); }));
  registry.GetGauge("memory_budget_max_bytes", "Bytes that all queues may hold.", {})
      .Set(static_cast<double>(t->budget_.max()));
  return t;
}

Topology::~Topology() { Stop(std::chrono::milliseconds(0)); }

void Topology::Fail(const std::string& id, const Error& error) {
  log::Error("Component failed", {{"component", id}, {"error", error}});
  {
    const std::lock_guard lock(failure_mu_);
    if (failure_.empty()) failure_ = id + ": " + error.message;
  }
  failed_ = true;
  on_event_();
}

std::string Topology::Failure() const {
  const std::lock_guard lock(failure_mu_);
  return failure_;
}

Sink* Topology::FindSink(std::string_view id) {
  for (const auto& run : sinks_)
    if (run->id == id) return run->sink.get();
  return nullptr;
}

void Topology::Start(std::function<void()> on_event) {
  on_event_ = std::move(on_event);
  for (const std::string& folder : data_dirs_) {
    if (auto made = MakeDirectories(folder, 0750); !made) return Fail(folder, made.error());
  }
  for (const auto& run : sinks_) {
    run->thread = std::jthread([this, s = run.get()](const std::stop_token& stop) {
      NameThread(s->id);
      const Status status = s->sink->Run(*s, stop);
      s->done = true;
      if (!status && status.error().code != ErrorCode::kCancelled)
        Fail("sinks." + s->id, status.error());
    });
  }
  bool ticks = false;
  for (const auto& run : sources_) {
    ++sources_running_;
    for (const auto& lane : run->lanes) {
      ticks = ticks || lane->lane->needs_ticks();
      if (run->lanes.size() == 1) continue;
      lane->thread = std::jthread([l = lane.get(), id = run->id] {
        NameThread(id + ".lane");
        std::unique_ptr<EventBatch> batch;
        while (l->queue.Pop(batch, std::chrono::steady_clock::time_point::max()) ==
               SinkInput::Pop::kItem)
          static_cast<void>(l->lane->Process(std::move(batch)));
      });
    }
    run->thread = std::jthread([this, s = run.get()] {
      NameThread(s->id);
      const Status status = s->source->Run(s->stop.get_token(), *s);
      for (const auto& lane : s->lanes) lane->queue.Close();
      for (const auto& lane : s->lanes) {
        if (lane->thread.joinable()) lane->thread.join();
        lane->lane->Tick(true);
      }
      if (!status && status.error().code != ErrorCode::kCancelled)
        Fail("sources." + s->id, status.error());
      --sources_running_;
      on_event_();
    });
  }
  if (!ticks) return;
  ticker_ = std::jthread([this](const std::stop_token& stop) {
    NameThread("ticker");
    std::mutex mu;
    std::condition_variable_any wake;
    std::unique_lock lock(mu);
    while (!wake.wait_for(lock, stop, std::chrono::milliseconds(100),
                          [&] { return stop.stop_requested(); })) {
      for (const auto& run : sources_)
        for (const auto& lane : run->lanes)
          if (lane->lane->needs_ticks()) lane->lane->Tick(false);
    }
  });
}

bool Topology::Stop(std::chrono::milliseconds grace, const std::stop_token& hurry) {
  const auto deadline = std::chrono::steady_clock::now() + grace;
  for (const auto& run : sources_) run->stop.request_stop();
  for (const auto& run : sources_)
    if (run->thread.joinable()) run->thread.join();
  if (ticker_.joinable()) {
    ticker_.request_stop();
    ticker_.join();
  }
  for (const auto& run : sinks_) run->queue.Close();
  bool delivered = true;
  for (const auto& run : sinks_) {
    if (!run->thread.joinable()) continue;
    while (!run->done && std::chrono::steady_clock::now() < deadline && !hurry.stop_requested())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (!run->done) {
      delivered =
          delivered && !sink_ports_[static_cast<std::size_t>(&run - sinks_.data())].required;
      log::Warn(
          "Sink did not finish before the shutdown deadline; what it holds is repeated after the "
          "next start",
          {{"sink", run->id}, {"grace", std::chrono::nanoseconds(grace)}});
      run->thread.request_stop();
    }
    run->thread.join();
  }
  // Views that sinks gave up go before the sources write their last checkpoint: a token that is not
  // settled must not hold it up, and must not count.
  for (const auto& run : sinks_) {
    BatchView view;
    while (run->queue.Pop(view, {}) == SinkInput::Pop::kItem) view = {};
  }
  for (const auto& run : sources_) {
    if (run->source == nullptr) continue;
    run->source->Close();
  }
  refresh_.clear();
  sources_.clear();
  sinks_.clear();
  return delivered;
}

}  // namespace millrace::agent
