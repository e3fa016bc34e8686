// The part of Consumer that follows the group: assignment, revocation, commits.
#include <algorithm>
#include <string_view>
#include <thread>

#include "agent/sources/kafka/consumer.h"
#include "common/log/log.h"

namespace millrace::agent::kafka {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRevokeCommitTimeout{5000};

template <class F>
void ForEach(const rd_kafka_topic_partition_list_t* list, F&& f) {
  for (int i = 0; i < list->cnt; ++i) f(list->elems[i]);
}

}  // namespace

void Consumer::OnRebalance(rd_kafka_t*, rd_kafka_resp_err_t what,
                           rd_kafka_topic_partition_list_t* list, void* self) {
  auto* c = static_cast<Consumer*>(self);
  c->rebalances_.Add();
  if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    c->Assign(list);
  } else {
    c->Revoke(list);
  }
  c->assigned_.Set(static_cast<double>(c->partitions_.size()));
}

void Consumer::Assign(rd_kafka_topic_partition_list_t* list) {
  health_.OnProgress();
  ForEach(list, [this](const rd_kafka_topic_partition_t& p) {
    partitions_[{p.topic, p.partition}] =
        std::make_unique<Partition>(cluster_, p.topic, p.partition, names_);
  });
  last_ = nullptr;
  const bool cooperative =
      std::string_view(api_.rebalance_protocol(client_.get())) == "COOPERATIVE";
  if (cooperative) {
    const KafkaError error(api_.incremental_assign(client_.get(), list), {&api_});
    if (error != nullptr)
      health_.OnError(api_.error_code(error.get()), api_.error_string(error.get()));
  } else {
    api_.assign(client_.get(), list);
  }
  if (paused_) api_.pause_partitions(client_.get(), list);
  log::Info("Kafka partitions were assigned",
            {{"component", context_.id}, {"new", list->cnt}, {"all", partitions_.size()}});
}

void Consumer::Revoke(rd_kafka_topic_partition_list_t* list) {
  // Lost: another member reads them already, so a commit of ours would move its place.
  const bool lost = api_.assignment_lost(client_.get()) != 0;
  ForEach(list, [this](const rd_kafka_topic_partition_t& p) {
    const auto it = partitions_.find({p.topic, p.partition});
    if (it != partitions_.end()) handoff_.Remove(it->second->stream());
  });
  if (!lost) {
    WaitForAcknowledgements(list);
    // An older commit that is still under way would be answered after ours.
    FinishCommits(kRevokeCommitTimeout);
    Commit(list);
    FinishCommits(kRevokeCommitTimeout);
  }
  Forget(list);
  log::Info("Kafka partitions were revoked", {{"component", context_.id},
                                              {"gone", list->cnt},
                                              {"left", partitions_.size()},
                                              {"lost", lost}});
  const bool cooperative =
      std::string_view(api_.rebalance_protocol(client_.get())) == "COOPERATIVE";
  if (cooperative) {
    const KafkaError error(api_.incremental_unassign(client_.get(), list), {&api_});
    if (error != nullptr)
      health_.OnError(api_.error_code(error.get()), api_.error_string(error.get()));
  } else {
    api_.assign(client_.get(), nullptr);
  }
}

void Consumer::Forget(const rd_kafka_topic_partition_list_t* list) {
  const auto forget = [this](const Key& key) {
    context_.metrics->RemoveGauge(
        "kafka_consumer_lag_messages",
        {{"topic", key.first}, {"partition", std::to_string(key.second)}});
    partitions_.erase(key);
  };
  last_ = nullptr;
  if (list != nullptr) {
    ForEach(list, [&](const rd_kafka_topic_partition_t& p) { forget({p.topic, p.partition}); });
  } else {
    while (!partitions_.empty()) forget(Key(partitions_.begin()->first));
  }
}

void Consumer::WaitForAcknowledgements(const rd_kafka_topic_partition_list_t* list) {
  // Closing: the sinks have been given their time already.
  const auto deadline = Clock::now() + milliseconds(closing_ ? 0 : config_.drain_timeout_ms);
  const auto waiting = [&] {
    std::size_t n = 0;
    ForEach(list, [&](const rd_kafka_topic_partition_t& p) {
      const auto it = partitions_.find({p.topic, p.partition});
      if (it != partitions_.end()) n += it->second->InFlight();
    });
    return n;
  };
  // Acknowledgements come on threads of sinks, none of which knows of us; a rebalance is rare.
  while (waiting() > 0 && Clock::now() < deadline) std::this_thread::sleep_for(milliseconds(5));
  if (const std::size_t left = waiting(); left > 0 && !closing_)
    log::Warn("Revoked partitions had unacknowledged events; their next owner repeats them",
              {{"component", context_.id}, {"batches", left}});
}

void Consumer::Commit(const rd_kafka_topic_partition_list_t* only) {
  const PartitionList list(api_.topic_partition_list_new(8), {&api_});
  const auto add = [&](const Key& key) {
    const auto it = partitions_.find(key);
    if (it == partitions_.end()) return;
    const std::int64_t offset = it->second->Committable();
    if (offset < 0 || offset == it->second->committed) return;
    api_.topic_partition_list_add(list.get(), key.first.c_str(), key.second)->offset = offset;
  };
  if (only != nullptr) {
    ForEach(only, [&](const rd_kafka_topic_partition_t& p) { add({p.topic, p.partition}); });
  } else {
    // One at a time: a broker that does not answer must not pile up commits.
    if (commits_pending_ > 0) return;
    for (const auto& [key, partition] : partitions_) add(key);
  }
  if (list->cnt == 0) return;
  const auto error = api_.commit_queue(client_.get(), list.get(), replies_.get(), nullptr, nullptr);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
    ++commits_pending_;
  else
    health_.OnError(error, api_.err2str(error));
}

void Consumer::TakeCommitReplies(milliseconds wait) {
  if (commits_pending_ == 0) return;
  while (true) {
    const EventHandle event(api_.queue_poll(replies_.get(), static_cast<int>(wait.count())),
                            {&api_});
    if (event == nullptr) return;
    wait = milliseconds(0);
    if (api_.event_type(event.get()) != RD_KAFKA_EVENT_OFFSET_COMMIT) continue;
    --commits_pending_;
    const auto error = api_.event_error(event.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      // Tried again at the next interval, by whoever owns the partition then.
      commit_failures_.Add();
      log::Debug("Offsets were not committed",
                 {{"component", context_.id}, {"error", api_.err2str(error)}});
      continue;
    }
    commits_.Add();
    ForEach(api_.event_topic_partition_list(event.get()),
            [this](const rd_kafka_topic_partition_t& p) {
              const auto it = partitions_.find({p.topic, p.partition});
              if (it != partitions_.end() && p.err == RD_KAFKA_RESP_ERR_NO_ERROR)
                it->second->committed = p.offset;
            });
  }
}

void Consumer::FinishCommits(milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (commits_pending_ > 0 && Clock::now() < deadline) TakeCommitReplies(milliseconds(100));
}

}  // namespace millrace::agent::kafka
