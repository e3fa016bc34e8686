#pragma once
// One thread's worth of transforms: what happens to the batches of a source between its Send() and
// the queues of the sinks.
#include <memory>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <vector>

#include "agent/core/component.h"
#include "agent/topology/graph.h"
#include "agent/topology/queue.h"

namespace millrace::agent {

/// A sink as lanes see it.
struct SinkPort {
  BoundedQueue<BatchView>* queue;
  bool required;
  WhenFull when_full;
  std::shared_ptr<Metrics> metrics;
};

/// A transform as lanes see it: the instance to clone and its counters.
struct TransformPort {
  const Transform* prototype;
  std::shared_ptr<Metrics> metrics;
};

/// Thread safe: a mutex is taken once a batch. Batches of one stream stay in order.
class Lane {
 public:
  /// `stop` ends waiting for room in a queue.
  Lane(const Graph& graph, const std::vector<TransformPort>& transforms,
       const std::vector<SinkPort>& sinks, const Node& source,
       std::shared_ptr<Metrics> source_metrics, std::stop_token stop);

  /// Runs the transforms and hands the outcome to the sinks' queues. kCancelled when `stop` fired
  /// while waiting; what was not handed over then is left unsettled.
  Status Process(std::unique_ptr<EventBatch> batch);
  /// Lets transforms give out what is due. `final`: everything they hold.
  void Tick(bool final);
  /// Some transform here keeps events back.
  [[nodiscard]] bool needs_ticks() const { return needs_ticks_; }

 private:
  void Hand(const Port& port, std::unique_ptr<EventBatch> batch, Metrics& from);
  void RunTransform(std::size_t index, std::unique_ptr<EventBatch> batch);
  void AfterTransform(std::size_t index, std::unique_ptr<EventBatch> batch);
  void ToSinks(const Port& port, std::unique_ptr<EventBatch> batch);

  const Graph& graph_;
  const std::vector<TransformPort>& transform_ports_;
  const std::vector<SinkPort>& sinks_;
  const Node& source_;
  std::shared_ptr<Metrics> source_metrics_;
  const std::stop_token stop_;
  std::mutex mu_;
  std::vector<std::unique_ptr<Transform>> transforms_;  ///< Null where this source does not lead.
  bool needs_ticks_ = false, cancelled_ = false;
};

}  // namespace millrace::agent
