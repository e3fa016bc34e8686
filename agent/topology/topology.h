#pragma once
// A running configuration: objects, threads and queues, and the order in which they start and stop.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/config/agent_config.h"
#include "agent/topology/graph.h"
#include "agent/topology/lane.h"

namespace millrace::agent {

class Topology {
 public:
  /// Makes every component; nothing runs yet. `config` and `graph` were checked.
  [[nodiscard]] static Result<std::unique_ptr<Topology>> Make(AgentConfig config, Graph graph,
                                                              MetricsRegistry& metrics);
  ~Topology();

  /// `on_event` is called, from any thread, when SourcesEnded() or Failed() has become true.
  void Start(std::function<void()> on_event = [] {});
  /// Every source's input has ended (stdin, a generator with a count).
  [[nodiscard]] bool SourcesEnded() const { return sources_running_.load() == 0; }
  /// A component gave up; `Failure()` says why. The process should stop.
  [[nodiscard]] bool Failed() const { return failed_.load(); }
  [[nodiscard]] std::string Failure() const;

  /// Stops sources, drains transforms and queues, gives sinks until `grace` has passed, closes
  /// sources. True when everything that was read has been delivered. `hurry` fires to cut the grace
  /// short.
  bool Stop(std::chrono::milliseconds grace, const std::stop_token& hurry = {});

  [[nodiscard]] const AgentConfig& config() const { return config_; }
  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] Sink* FindSink(std::string_view id);

 private:
  struct SourceRun;
  struct SinkRun;
  struct LaneRun;
  Topology(AgentConfig config, Graph graph);
  void Fail(const std::string& id, const Error& error);

  AgentConfig config_;
  Graph graph_;
  MemoryBudget budget_;
  std::vector<std::string> data_dirs_;  ///< One a component; made by Start().
  std::vector<std::unique_ptr<Transform>> prototypes_;
  std::vector<TransformPort> transform_ports_;
  std::vector<SinkPort> sink_ports_;
  std::vector<std::unique_ptr<SinkRun>> sinks_;
  std::vector<std::unique_ptr<SourceRun>> sources_;
  std::vector<std::shared_ptr<void>> refresh_;  ///< Gauges that look into the queues.
  std::jthread ticker_;
  std::atomic<int> sources_running_{0};
  std::atomic<bool> failed_{false};
  std::function<void()> on_event_;
  mutable std::mutex failure_mu_;
  std::string failure_;
};

}  // namespace millrace::agent
