#include "agent/topology/lane.h"

#include "common/base/check.h"

namespace millrace::agent {

Lane::Lane(const Graph& graph, const std::vector<TransformPort>& transforms,
           const std::vector<SinkPort>& sinks, const Node& source,
           std::shared_ptr<Metrics> source_metrics, std::stop_token stop)
    : graph_(graph),
      transform_ports_(transforms),
      sinks_(sinks),
      source_(source),
      source_metrics_(std::move(source_metrics)),
      stop_(std::move(stop)),
      transforms_(transforms.size()) {
  const auto reach = [&](auto&& self, const Node& node) -> void {
    for (const Port& port : node.ports) {
      for (const std::size_t t : port.transforms) {
        if (transforms_[t] != nullptr) continue;
        transforms_[t] = transforms[t].prototype->Clone();
        needs_ticks_ = needs_ticks_ || transforms_[t]->holds_events();
        self(self, graph.transforms[t]);
      }
    }
  };
  reach(reach, source);
}

Status Lane::Process(std::unique_ptr<EventBatch> batch) {
  const std::lock_guard lock(mu_);
  // After a stop nothing may overtake what was not handed over.
  if (!cancelled_) Hand(source_.ports[0], std::move(batch), *source_metrics_);
  if (cancelled_) return Fail(ErrorCode::kCancelled, "stopped while waiting for a sink");
  return {};
}

void Lane::Tick(bool final) {
  const std::lock_guard lock(mu_);
  for (const std::size_t t : graph_.order) {
    if (transforms_[t] == nullptr || !transforms_[t]->holds_events()) continue;
    for (auto& batch : transforms_[t]->Flush(final)) AfterTransform(t, std::move(batch));
  }
}

void Lane::Hand(const Port& port, std::unique_ptr<EventBatch> batch, Metrics& from) {
  if (batch->empty()) return batch->Routed();
  if (port.transforms.empty() && port.sinks.empty()) {
    // Nobody reads from this output, which for a named output is how the user drops its events.
    from.Discarded("output_not_read", true).Add(static_cast<double>(batch->size()));
    return batch->Routed();
  }
  // Transforms change a batch, so all readers but the last get a copy of the fields (not of the
  // bytes).
  const std::size_t readers = port.transforms.size() + (port.sinks.empty() ? 0 : 1);
  for (std::size_t k = 0; k < port.transforms.size(); ++k) {
    const bool last = k + 1 == readers;
    RunTransform(port.transforms[k], last ? std::move(batch) : batch->Fork({}));
  }
  if (!port.sinks.empty()) ToSinks(port, std::move(batch));
}

void Lane::RunTransform(std::size_t index, std::unique_ptr<EventBatch> batch) {
  transform_ports_[index].metrics->received_events.Add(static_cast<double>(batch->size()));
  transforms_[index]->Apply(*batch);
  AfterTransform(index, std::move(batch));
}

void Lane::AfterTransform(std::size_t index, std::unique_ptr<EventBatch> batch) {
  batch->Sweep();
  Metrics& metrics = *transform_ports_[index].metrics;
  metrics.sent_events.Add(static_cast<double>(batch->size()));
  const std::vector<Port>& ports = graph_.transforms[index].ports;
  if (ports.size() == 1) return Hand(ports[0], std::move(batch), metrics);

  std::vector<std::vector<std::uint32_t>> split(ports.size());
  for (std::uint32_t i = 0; i < batch->size(); ++i) {
    MILLRACE_DCHECK(batch->event(i).output < ports.size());
    split[batch->event(i).output].push_back(i);
    batch->event(i).output = 0;
  }
  for (std::size_t p = 0; p < ports.size(); ++p) {
    if (split[p].empty()) continue;
    if (split[p].size() == batch->size()) return Hand(ports[p], std::move(batch), metrics);
    Hand(ports[p], batch->Fork(split[p]), metrics);
  }
  batch->Routed();  // every event went into one of the forks
}

void Lane::ToSinks(const Port& port, std::unique_ptr<EventBatch> batch) {
  EventBatch& open = *batch;
  const std::shared_ptr<const EventBatch> sealed = std::move(batch);
  const std::size_t bytes = sealed->Footprint();
  std::vector<BatchView> views;
  views.reserve(port.sinks.size());
  for (const std::size_t s : port.sinks) views.emplace_back(sealed, sinks_[s].required);
  open.Routed();
  for (std::size_t k = 0; k < port.sinks.size(); ++k) {
    const SinkPort& sink = sinks_[port.sinks[k]];
    const bool wait = sink.required && sink.when_full == WhenFull::kBlock;
    switch (sink.queue->Push(std::move(views[k]), bytes, wait, stop_)) {
      case BoundedQueue<BatchView>::Pushed::kYes:
        break;
      case BoundedQueue<BatchView>::Pushed::kFull:
        sink.metrics->Discarded("buffer_full", true).Add(static_cast<double>(sealed->size()));
        views[k].Delivered();
        break;
      case BoundedQueue<BatchView>::Pushed::kStopped:
        cancelled_ = true;
        break;
    }
  }
}

}  // namespace millrace::agent
