#include "agent/sources/kafka/consumer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "common/log/log.h"

namespace millrace::agent::kafka {
namespace {

using std::chrono::milliseconds;

/// Taken from librdkafka at once.
constexpr std::size_t kMessagesAtOnce = 1000;
/// How long a full handoff is waited for before the partitions are paused. Pausing throws away
/// what librdkafka has fetched, so a short stall must not do it.
constexpr milliseconds kPatience{1000};
constexpr milliseconds kPollTimeout{250};
/// Nothing came for so long though there must be more: see WakeFetcher().
constexpr milliseconds kFetcherTimeout{5};
constexpr int kWakeTimeoutMs = 200;
constexpr milliseconds kCommitTimeout{10000};
constexpr milliseconds kCloseTimeout{10000};
constexpr std::chrono::seconds kLagInterval{1};

/// Log lines come without a pointer of ours, on the thread that polls (log.queue).
thread_local const Consumer* polling = nullptr;

std::string_view View(const void* data, std::size_t size) {
  return {static_cast<const char*>(data), data == nullptr ? 0 : size};
}

Settings ConsumerDefaults(const KafkaSourceConfig& c, const std::string& id) {
  std::string reset;
  for (const auto& [value, text] : config::EnumNames<OffsetReset>::kList)
    if (value == c.auto_offset_reset) reset = text;
  Settings s = {
      {"group.id", c.group_id},
      {"client.id", "millrace-" + id},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      // The end of a partition tells where an idle one stands.
      {"enable.partition.eof", "true"},
      {"auto.offset.reset", reset},
      {"fetch.wait.max.ms", std::to_string(c.fetch_wait_max_ms)},
      // What is fetched ahead lies in memory uncompressed; librdkafka's defaults allow 64 MiB.
      {"queued.max.messages.kbytes",
       std::to_string(std::max<std::uint64_t>(1, c.fetch_buffer_bytes.value / 1024))},
      {"queued.min.messages", "10000"},
      // One answer, compressed: log lines grow about eightfold, and an answer that alone fills the
      // read-ahead makes the reading stop and go. A larger batch of messages still comes whole.
      {"fetch.message.max.bytes", "131072"},
      {"fetch.max.bytes", "262144"},
      {"message.max.bytes", "131072"},  // Of a consumer only a lower bound of the line above.
      {"fetch.error.backoff.ms", "200"},
      {"statistics.interval.ms", "15000"},
  };
  if (!c.group_instance_id.empty()) s.emplace_back("group.instance.id", c.group_instance_id);
  const bool regex = std::any_of(c.topics.begin(), c.topics.end(),
                                 [](const std::string& t) { return t.starts_with('^'); });
  if (regex) s.emplace_back("topic.metadata.refresh.interval.ms", "30000");
  const auto protocol = c.client.librdkafka_options.find("group.protocol");
  // The new protocol (KIP-848) leaves both to the broker and refuses to be told.
  if (protocol == c.client.librdkafka_options.end() || protocol->second == "classic") {
    s.emplace_back("partition.assignment.strategy", "cooperative-sticky");
    s.emplace_back("session.timeout.ms", std::to_string(c.session_timeout_ms));
  }
  return s;
}

}  // namespace

Consumer::Consumer(const Api& api, const KafkaSourceConfig& config, const Context& context,
                   const FieldNames& names, Handoff& handoff)
    : api_(api),
      config_(config),
      context_(context),
      names_(names),
      handoff_(handoff),
      health_(api, context.id, *context.metrics),
      rebalances_(context.metrics->GetCounter(
          "kafka_rebalances_total", "Changes of the partitions assigned to this member.")),
      commits_(context.metrics->GetCounter("kafka_commits_total", "Offset commits confirmed.")),
      commit_failures_(context.metrics->Errors("commit_failed")),
      assigned_(context.metrics->GetGauge("kafka_assigned_partitions",
                                          "Partitions that this member reads now.")),
      client_(nullptr, {&api}),
      queue_(nullptr, {&api}),
      replies_(nullptr, {&api}),
      messages_(kMessagesAtOnce) {}

Result<Conf> Consumer::MakeConfiguration() const {
  MILLRACE_ASSIGN(const Settings settings,
                  ClientSettings(config_.client, ConsumerDefaults(config_, context_.id)));
  MILLRACE_ASSIGN(Conf conf, MakeConf(api_, settings));
  if (api_.has_fetch_queue_backoff() &&
      !config_.client.librdkafka_options.contains("fetch.queue.backoff.ms"))
    api_.conf_set(conf.get(), "fetch.queue.backoff.ms", "10", nullptr, 0);
  return conf;
}

Consumer::~Consumer() {
  Forget(nullptr);
  queue_.reset();
  replies_.reset();
  // Loop() has left the group, or it could not: no second attempt that might hang.
  if (client_ != nullptr)
    api_.destroy_flags(client_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Status Consumer::Open() {
  MILLRACE_ASSIGN(Conf conf, MakeConfiguration());
  api_.conf_set_opaque(conf.get(), this);
  api_.conf_set_rebalance_cb(conf.get(), &Consumer::OnRebalance);
  api_.conf_set_error_cb(conf.get(), [](rd_kafka_t*, int error, const char* why, void* self) {
    auto* c = static_cast<Consumer*>(self);
    if (error == RD_KAFKA_RESP_ERR__FATAL) c->fatal_ = true;
    c->health_.OnError(static_cast<rd_kafka_resp_err_t>(error), why);
  });
  api_.conf_set_log_cb(conf.get(),
                       [](const rd_kafka_t*, int level, const char* facility, const char* text) {
                         if (polling != nullptr) polling->health_.OnLog(level, facility, text);
                       });
  api_.conf_set_stats_cb(conf.get(), [](rd_kafka_t*, char* json, std::size_t size, void* self) {
    static_cast<Consumer*>(self)->health_.OnStatistics({json, size});
    return 0;
  });
  std::array<char, 512> text{};
  client_.reset(api_.create(RD_KAFKA_CONSUMER, conf.get(), text.data(), text.size()));
  if (client_ == nullptr) return Fail(ErrorCode::kInvalidArgument, text.data());
  static_cast<void>(conf.release());  // The client owns it now.
  api_.set_log_queue(client_.get(), nullptr);
  api_.poll_set_consumer(client_.get());
  queue_.reset(api_.queue_get_consumer(client_.get()));
  replies_.reset(api_.queue_new(client_.get()));
  return {};
}

void Consumer::Loop(const std::stop_token& drain, const std::stop_token& close) {
  polling = this;
  if (FindCluster(close)) {
    if (const Status s = Subscribe(); !s)
      log::Error("Cannot subscribe", {{"component", context_.id}, {"error", s.error()}});
  }
  auto next_commit = Clock::now() + milliseconds(config_.commit_interval_ms);
  auto next_lag = Clock::now() + kLagInterval;
  while (!close.stop_requested() && !fatal_) {
    if (drain.stop_requested() && !draining_) {
      draining_ = true;
      SetPaused(true);
    }
    FollowHandoff();
    Poll();
    TakeCommitReplies(milliseconds(0));
    const auto now = Clock::now();
    if (now >= next_commit) {
      Commit(nullptr);
      next_commit = now + milliseconds(config_.commit_interval_ms);
    }
    if (now >= next_lag) {
      UpdateLag();
      next_lag = now + kLagInterval;
    }
  }
  Close();
  polling = nullptr;
}

/// The cluster's id is part of every event's identity, so nothing is read before it is known.
bool Consumer::FindCluster(const std::stop_token& close) {
  while (!close.stop_requested() && !fatal_) {
    char* id = api_.clusterid(client_.get(), 200);
    if (id != nullptr) {
      cluster_ = id;
      api_.mem_free(client_.get(), id);
      return true;
    }
    Poll();
  }
  return false;
}

Status Consumer::Subscribe() {
  const PartitionList list(api_.topic_partition_list_new(static_cast<int>(config_.topics.size())),
                           {&api_});
  for (const std::string& topic : config_.topics)
    api_.topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (const auto error = api_.subscribe(client_.get(), list.get()))
    return Fail(ErrorCode::kInvalidArgument, api_.err2str(error));
  log::Info("Joining the consumer group",
            {{"component", context_.id}, {"group", config_.group_id}, {"cluster", cluster_}});
  return {};
}

void Consumer::Poll() {
  // A batch call alone would wait its whole timeout for a full array; so wait for one, then take
  // what is there.
  const bool watch_fetcher = fetcher_may_sleep_ && Behind();
  const milliseconds wait = watch_fetcher ? kFetcherTimeout : kPollTimeout;
  ssize_t n =
      api_.consume_batch_queue(queue_.get(), static_cast<int>(wait.count()), messages_.data(), 1);
  if (n == 1) {
    const ssize_t more =
        api_.consume_batch_queue(queue_.get(), 0, messages_.data() + 1, kMessagesAtOnce - 1);
    n += std::max<ssize_t>(more, 0);
    fetcher_may_sleep_ = !api_.has_fetch_queue_backoff();
  } else if (watch_fetcher) {
    WakeFetcher();
  }
  for (ssize_t i = 0; i < n; ++i) {
    Take(messages_[static_cast<std::size_t>(i)]);
    api_.message_destroy(messages_[static_cast<std::size_t>(i)]);
  }
  SendAll();
}

bool Consumer::Behind() const {
  return std::any_of(partitions_.begin(), partitions_.end(),
                     [](const auto& p) { return !p.second->at_end; });
}

/// Any request wakes the thread of its broker, which then sees that there is room again. Asking
/// for the ends of our partitions goes to just the brokers we read from. Without this a consumer
/// with a read-ahead of 8 MiB gets no more than that a second.
void Consumer::WakeFetcher() {
  fetcher_may_sleep_ = false;
  const PartitionList list(api_.topic_partition_list_new(static_cast<int>(partitions_.size())),
                           {&api_});
  for (const auto& [key, partition] : partitions_) {
    if (!partition->at_end)
      api_.topic_partition_list_add(list.get(), key.first.c_str(), key.second)->offset =
          RD_KAFKA_OFFSET_END;
  }
  if (list->cnt > 0)
    static_cast<void>(api_.offsets_for_times(client_.get(), list.get(), kWakeTimeoutMs));
}

Partition* Consumer::Find(const rd_kafka_message_t& message) {
  if (last_ != nullptr && message.rkt == last_topic_ && message.partition == last_->number())
    return last_;
  if (message.rkt == nullptr) return nullptr;
  const auto it = partitions_.find({api_.topic_name(message.rkt), message.partition});
  if (it == partitions_.end()) return nullptr;
  last_topic_ = message.rkt;
  last_ = it->second.get();
  return last_;
}

void Consumer::Take(rd_kafka_message_t* message) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return OnMessageError(*message);
  health_.OnProgress();
  // Of a partition that was revoked within this very poll: its next owner reads it.
  Partition* partition = Find(*message);
  if (partition == nullptr || draining_) return;
  Message m;
  m.offset = message->offset;
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = api_.message_timestamp(message, &kind);
  if (kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) m.timestamp_ms = timestamp;
  m.payload = View(message->payload, message->len);
  m.key = View(message->key, message->key_len);
  headers_.clear();
  rd_kafka_headers_t* headers = nullptr;
  if (api_.message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         api_.header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
      headers_.push_back({name, View(value, size)});
  }
  m.headers = headers_;
  partition->Add(m);
  if (partition->full()) Send(*partition);
}

void Consumer::OnMessageError(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    health_.OnProgress();
    Partition* partition = Find(message);
    if (partition == nullptr || draining_) return;
    if (partition->has_open()) Send(*partition);
    partition->AtEnd(message.offset);
    return;
  }
  if (message.err == RD_KAFKA_RESP_ERR__FATAL) fatal_ = true;
  const char* text = api_.message_errstr(&message);
  health_.OnError(message.err, text != nullptr ? text : api_.err2str(message.err));
}

void Consumer::Send(Partition& partition) {
  auto batch = partition.Take();
  context_.metrics->received_events.Add(static_cast<double>(batch->size()));
  context_.metrics->received_bytes.Add(static_cast<double>(batch->bytes));
  handoff_.Push(std::move(batch));
}

void Consumer::SendAll() {
  for (auto& [key, partition] : partitions_)
    if (partition->has_open()) Send(*partition);
}

void Consumer::FollowHandoff() {
  if (draining_) return;
  if (paused_) {
    if (handoff_.HalfEmpty()) SetPaused(false);
  } else if (handoff_.Full() && !handoff_.WaitForRoom(kPatience)) {
    SetPaused(true);
  }
}

void Consumer::SetPaused(bool paused) {
  rd_kafka_topic_partition_list_t* raw = nullptr;
  if (api_.assignment(client_.get(), &raw) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const PartitionList list(raw, {&api_});
  paused_ = paused;
  if (paused)
    api_.pause_partitions(client_.get(), list.get());
  else
    api_.resume_partitions(client_.get(), list.get());
}

void Consumer::Close() {
  closing_ = true;
  FinishCommits(milliseconds(1000));
  Commit(nullptr);
  FinishCommits(kCommitTimeout);
  // Leaving calls back for the revocation; a coordinator that is down must not hold up our exit.
  if (KafkaError error(api_.consumer_close_queue(client_.get(), queue_.get()), {&api_});
      error != nullptr)
    return;
  const auto deadline = Clock::now() + kCloseTimeout;
  while (api_.consumer_closed(client_.get()) == 0 && Clock::now() < deadline) {
    const ssize_t n = api_.consume_batch_queue(queue_.get(), 50, messages_.data(), kMessagesAtOnce);
    for (ssize_t i = 0; i < n; ++i) api_.message_destroy(messages_[static_cast<std::size_t>(i)]);
  }
}

void Consumer::UpdateLag() {
  for (const auto& [key, partition] : partitions_) {
    const std::int64_t done = partition->Committable();
    std::int64_t low = 0, high = -1;
    if (done < 0 ||
        api_.get_watermark_offsets(client_.get(), key.first.c_str(), key.second, &low, &high) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0)
      continue;
    context_.metrics
        ->GetGauge("kafka_consumer_lag_messages",
                   "Messages of a partition that the sinks have not acknowledged.",
                   {{"topic", key.first}, {"partition", std::to_string(key.second)}})
        .Set(static_cast<double>(std::max<std::int64_t>(0, high - done)));
  }
}

}  // namespace millrace::agent::kafka
