#include "agent/sinks/kafka/producer.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/log/log.h"

namespace millrace::agent::kafka {

Producer::Producer(const Api& api, const KafkaSinkConfig& config, std::string id,
                   ClientHealth& health)
    : api_(api),
      config_(config),
      id_(std::move(id)),
      health_(health),
      by_key_(config.partitioner == KafkaSinkConfig::Partitioner::kMurmur2
                  ? api.msg_partitioner_murmur2
                  : api.msg_partitioner_consistent),
      client_(nullptr, {&api}),
      queue_(nullptr, {&api}) {}

Producer::~Producer() { Close(); }

Result<Conf> Producer::MakeConfiguration(std::uint64_t batch_bytes) const {
  std::string compression;
  for (const auto& [value, text] : config::EnumNames<KafkaSinkConfig::Compression>::kList)
    if (value == config_.compression) compression = text;
  MILLRACE_ASSIGN(
      const Settings settings,
      ClientSettings(config_.client,
                     {
                         {"client.id", "millrace-" + id_},
                         {"enable.idempotence", "true"},
                         {"acks", "all"},
                         {"message.timeout.ms", std::to_string(config_.message_timeout_ms)},
                         {"message.max.bytes", std::to_string(config_.max_message_bytes.value)},
                         {"compression.codec", compression},
                         {"compression.level", std::to_string(config_.compression_level)},
                         {"batch.size", std::to_string(batch_bytes)},
                         {"batch.num.messages", std::to_string(config_.batch.max_events)},
                         {"linger.ms", std::to_string(config_.batch.timeout.count())},
                         // Else messages without a key never reach our partitioner.
                         {"sticky.partitioning.linger.ms", "0"},
                         // The sink has a limit of its own, in bytes.
                         {"queue.buffering.max.messages", "10000000"},
                         {"queue.buffering.max.kbytes", "2147483647"},
                         {"statistics.interval.ms", "15000"},
                     }));
  return MakeConf(api_, settings);
}

Status Producer::Open(std::uint64_t batch_bytes) {
  MILLRACE_ASSIGN(Conf conf, MakeConfiguration(batch_bytes));
  api_.conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG |
                                       RD_KAFKA_EVENT_STATS);
  std::array<char, 512> text{};
  client_.reset(api_.create(RD_KAFKA_PRODUCER, conf.get(), text.data(), text.size()));
  if (client_ == nullptr) return Fail(ErrorCode::kInvalidArgument, text.data());
  static_cast<void>(conf.release());  // The client owns it now.
  api_.set_log_queue(client_.get(), nullptr);
  queue_.reset(api_.queue_get_main(client_.get()));
  fatal_ = false;
  return {};
}

void Producer::Close() {
  queue_.reset();
  client_.reset();
}

TopicHandle Producer::MakeTopic(const std::string& name) const {
  // Given a configuration, a topic does not take the client's defaults: so a copy of those.
  rd_kafka_topic_conf_t* conf = api_.default_topic_conf_dup(client_.get());
  api_.topic_conf_set_partitioner_cb(conf, &Producer::ChoosePartition);
  api_.topic_conf_set_opaque(conf, const_cast<Producer*>(this));
  return {api_.topic_new(client_.get(), name.c_str(), conf), {&api_}};
}

/// Called while a message is produced, or on librdkafka's thread when the topic becomes known:
/// reads only what does not change while the message is out.
std::int32_t Producer::ChoosePartition(const rd_kafka_topic_t* topic, const void* key,
                                       std::size_t key_size, std::int32_t partitions, void* self,
                                       void* message) {
  const auto* p = static_cast<const Producer*>(self);
  if (key != nullptr) return p->by_key_(topic, key, key_size, partitions, nullptr, nullptr);
  return static_cast<std::int32_t>(static_cast<const Outgoing*>(message)->slot->spread %
                                   static_cast<std::uint32_t>(partitions));
}

rd_kafka_resp_err_t Producer::Produce(Outgoing& message, std::span<const OutgoingHeader> headers) {
  std::array<rd_kafka_vu_t, 4 + kMaxHeaders> v;
  std::size_t n = 0;
  v[n].vtype = RD_KAFKA_VTYPE_RKT;
  v[n++].u.rkt = message.topic->handle.get();
  v[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
  v[n++].u.ptr = &message;
  v[n].vtype = RD_KAFKA_VTYPE_VALUE;  // Without F_COPY: the payload stays where it is.
  v[n++].u.mem = {const_cast<char*>(message.payload), message.size};
  if (message.key_at != Outgoing::kNowhere) {
    v[n].vtype = RD_KAFKA_VTYPE_KEY;
    v[n++].u.mem = {message.slot->text.data() + message.key_at, message.key_size};
  }
  for (const OutgoingHeader& h : headers) {
    v[n].vtype = RD_KAFKA_VTYPE_HEADER;
    v[n++].u.header = {h.name, h.value.data(), static_cast<ssize_t>(h.value.size())};
  }
  const KafkaError error(api_.produceva(client_.get(), v.data(), n), {&api_});
  return error == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : api_.error_code(error.get());
}

void Producer::OnOther(rd_kafka_event_t* event) {
  switch (api_.event_type(event)) {
    case RD_KAFKA_EVENT_ERROR:
      if (api_.event_error(event) == RD_KAFKA_RESP_ERR__FATAL) {
        std::array<char, 512> text{};
        api_.fatal_error(client_.get(), text.data(), text.size());
        log::Warn("Kafka producer met a fatal error",
                  {{"component", id_}, {"error", std::string_view(text.data())}});
        fatal_ = true;
        return;
      }
      return health_.OnError(api_.event_error(event), api_.event_error_string(event));
    case RD_KAFKA_EVENT_LOG: {
      const char* facility = nullptr;
      const char* text = nullptr;
      int level = 0;
      if (api_.event_log(event, &facility, &text, &level) == 0)
        health_.OnLog(level, facility, text);
      return;
    }
    case RD_KAFKA_EVENT_STATS:
      return health_.OnStatistics(api_.event_stats(event));
    default:
      return;
  }
}

void Producer::Purge() const {
  api_.purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

void Producer::Hurry() const { static_cast<void>(api_.flush(client_.get(), 1)); }

Status Producer::Ask(rd_kafka_topic_t* topic, std::chrono::milliseconds timeout) const {
  const struct rd_kafka_metadata* metadata = nullptr;
  const auto error =
      api_.metadata(client_.get(), 0, topic, &metadata, static_cast<int>(timeout.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return Fail(ErrorCode::kUnavailable, api_.err2str(error));
  Status answer;
  if (topic != nullptr && metadata->topic_cnt == 1) {
    const auto& t = metadata->topics[0];
    if (t.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      answer = Fail(ErrorCode::kPermission, api_.err2str(t.err));
    for (int i = 0; answer && i < t.partition_cnt; ++i)
      if (t.partitions[i].leader < 0)
        answer = Fail(ErrorCode::kUnavailable, "a partition has no leader");
  }
  api_.metadata_destroy(metadata);
  return answer;
}

}  // namespace millrace::agent::kafka
