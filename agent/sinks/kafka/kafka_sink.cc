#include "agent/sinks/kafka/kafka_sink.h"

#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "agent/core/name.h"
#include "agent/core/template.h"
#include "agent/kafka/rdkafka_api.h"
#include "agent/sinks/kafka/delivery.h"
#include "agent/sinks/kafka/producer.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

using kafka::Outgoing;
using kafka::Slot;
using std::chrono::milliseconds;

/// While messages are out, reports have to be looked after.
constexpr milliseconds kBusyWait{10}, kIdleWait{1000}, kFullWait{50};

class KafkaSink final : public Sink {
 public:
  KafkaSink(const kafka::Api& api, KafkaSinkConfig config, Context context, Template topic,
            std::optional<Template> key)
      : api_(api),
        config_(std::move(config)),
        context_(std::move(context)),
        encoder_(MakeEncoder(config_.encoding)),
        topic_(std::move(topic)),
        key_(std::move(key)),
        key_field_(InternName(config_.key_field)),
        verbatim_(config_.encoding.codec == Codec::kText ||
                  config_.encoding.codec == Codec::kRawMessage),
        fallbacks_(context_.metrics->GetCounter(
            "template_fallbacks_total", "Events whose name has the fallback for a missing field.")),
        random_(std::random_device()()) {
    if (topic_.constant()) topic_name_ = topic_.prefix();
  }

  Status Probe(milliseconds timeout) override {
    kafka::ClientHealth health(api_, context_.id, *context_.metrics);
    kafka::Producer producer(api_, config_, context_.id, health);
    MILLRACE_TRY(producer.Open(config_.batch.max_bytes.value));
    kafka::TopicHandle topic(nullptr, {&api_});
    if (topic_.constant()) topic = producer.MakeTopic(topic_name_);
    Status answer = producer.Ask(topic.get(), timeout);
    producer.Serve(milliseconds(0), [](Outgoing&, rd_kafka_resp_err_t) {});
    // What the broker said says more than that there was no answer in time.
    if (!answer && !health.trouble().empty()) answer.error().message += ": " + health.trouble();
    return answer;
  }

  Status Run(SinkInput& in, std::stop_token stop) override {
    kafka::Delivery delivery(api_, config_, context_);
    MILLRACE_TRY(delivery.Open());
    bool closed = false;
    while (!stop.stop_requested() && !(closed && delivery.empty())) {
      if (closed || !delivery.HasRoom()) {
        // Nothing more will come to fill a batch.
        delivery.Hurry();
        delivery.Serve(kFullWait, stop);
        continue;
      }
      BatchView view;
      const auto wait = delivery.empty() ? kIdleWait : kBusyWait;
      switch (in.Next(view, std::chrono::steady_clock::now() + wait)) {
        case SinkInput::Pop::kItem:
          Take(delivery, std::move(view));
          break;
        case SinkInput::Pop::kTimeout:
          break;
        case SinkInput::Pop::kClosed:
          closed = true;
          break;
      }
      delivery.Serve(milliseconds(0), stop);
    }
    return {};
  }

 private:
  void Take(kafka::Delivery& delivery, BatchView view) {
    Slot& slot = delivery.Acquire();
    slot.view = std::move(view);
    const EventBatch& batch = *slot.view;
    slot.spread = config_.partition_by == KafkaSinkConfig::PartitionBy::kStream ? batch.stream.low
                                                                                : random_();
    slot.messages.assign(batch.size(), Outgoing{});
    encoder_->Start(batch);
    std::size_t bytes = 0;
    double missing = 0;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      Outgoing& m = slot.messages[i];
      m.slot = &slot;
      m.event = i;
      const Event& event = batch.event(i);
      if (!topic_.constant()) {
        topic_name_.clear();
        if (topic_.Render(batch, event, config_.topic_fallback, topic_name_).missing) ++missing;
      }
      delivery.SetTopic(m, topic_name_);
      WritePayload(batch, event, slot, m);
      WriteKey(batch, event, slot, m);
      bytes += m.size;
    }
    // The text has its final place now.
    for (Outgoing& m : slot.messages)
      if (m.payload_at != Outgoing::kNowhere) m.payload = slot.text.data() + m.payload_at;
    context_.metrics->received_events.Add(static_cast<double>(batch.size()));
    context_.metrics->received_bytes.Add(static_cast<double>(bytes));
    if (missing > 0) fallbacks_.Add(missing);
    delivery.Accept(slot);
  }

  void WritePayload(const EventBatch& batch, const Event& event, Slot& slot, Outgoing& m) {
    if (verbatim_) {
      const Field* message = batch.Find(event, names::kMessage);
      if (message != nullptr && message->type == Type::kString) {
        m.payload = message->text().data();
        m.size = message->len;
        return;
      }
      if (message != nullptr && message->type == Type::kNull) return;
    }
    m.payload_at = static_cast<std::uint32_t>(slot.text.size());
    encoder_->Append(event, slot.text);
    m.size = static_cast<std::uint32_t>(slot.text.size() - m.payload_at);
  }

  void WriteKey(const EventBatch& batch, const Event& event, Slot& slot, Outgoing& m) {
    const std::size_t start = slot.text.size();
    if (!key_field_.empty()) {
      const Field* field = batch.Find(event, key_field_);
      if (field == nullptr || field->type == Type::kNull) return;
      AppendPlain(slot.text, *field);
    } else if (key_) {
      key_text_.clear();
      if (key_->Render(batch, event, "", key_text_).missing) return;
      slot.text.Append(key_text_);
    } else {
      return;
    }
    m.key_at = static_cast<std::uint32_t>(start);
    m.key_size = static_cast<std::uint32_t>(slot.text.size() - start);
  }

  const kafka::Api& api_;
  const KafkaSinkConfig config_;
  const Context context_;
  std::unique_ptr<Encoder> encoder_;
  Template topic_;
  std::optional<Template> key_;
  std::string_view key_field_;
  bool verbatim_;  ///< The payload is the message as it stands in the batch.
  Counter fallbacks_;
  std::minstd_rand random_;
  std::string topic_name_, key_text_;
};

std::string CheckHeaders(const std::map<std::string, std::string>& headers) {
  if (headers.size() >= kafka::Producer::kMaxHeaders) return "too many headers";
  for (const auto& [name, text] : headers) {
    if (name.empty()) return "a header has no name";
    if (name == kafka::kIdHeader) return std::string(kafka::kIdHeader) + " is the agent's own";
    if (std::string why = IsTemplate<TemplateUse::kText>(text); !why.empty())
      return name + ": " + why;
  }
  return {};
}

}  // namespace

void Visit(config::Visitor& v, KafkaSinkConfig::Batch& c) {
  v.Field("max_events", c.max_events, "Messages in a batch of one partition.").Range(1, 1'000'000);
  v.Field("max_bytes", c.max_bytes, "Uncompressed bytes of a batch of one partition.")
      .Range(1024, 2147483647.0);
  v.Seconds("timeout_secs", c.timeout, "How long a batch is filled before it is sent.")
      .Range(0, 900);
}

void Visit(config::Visitor& v, KafkaSinkConfig& c) {
  kafka::VisitClient(v, c.client, kafka::Role::kProducer);
  v.Field("topic", c.topic,
          "Topic, such as \"app-logs\" or \"prod-container_{{ app_zone }}\": fields of the event "
          "are put in, confined to what a topic's name may have.")
      .Required()
      .Check(IsTemplate<TemplateUse::kTopic>);
  v.Field("topic_fallback", c.topic_fallback, "Stands in the topic for a field that is missing.")
      .NotEmpty();
  v.Field("key_field", c.key_field, "Field that becomes the message's key.");
  v.Field("key", c.key, "Template of the key, instead of key_field.")
      .Check(IsTemplate<TemplateUse::kText>);
  v.Field("headers", c.headers,
          "Headers of each message: name and template. One whose field is missing is left out.")
      .Check(CheckHeaders);
  v.Field("event_id_header", c.event_id_header,
          "Send the event's identity in the header millrace-id, so that an agent behind Kafka "
          "knows what was repeated after a crash.");
  v.Field("encoding", c.encoding,
          "How the payload is written. text and raw_message are the same here: the message as it "
          "is, line feeds included.");
  v.Field("compression", c.compression, "Of batches, by the agent; brokers store them so.");
  v.Field("compression_level", c.compression_level, "-1 = the codec's default.").Range(-1, 12);
  v.Field("batch", c.batch, "How messages are gathered.");
  v.Field("partition_by", c.partition_by,
          "Where messages without a key go: stream = all of one file (or other stream) to one "
          "partition, so that their order is kept; random = anywhere.");
  v.Field("partitioner", c.partitioner,
          "Where messages with a key go: murmur2 as Java clients, consistent (CRC32) as librdkafka "
          "and Vector by default.");
  v.Field("max_message_bytes", c.max_message_bytes,
          "A larger message goes to the dead letters. Keep it at the topic's max.message.bytes.")
      .Range(1000, 1'000'000'000);
  v.Field("message_timeout_ms", c.message_timeout_ms,
          "Give a message up after so long and put it into the dead letters; 0 = never.");
  v.Seconds("stall_timeout_secs", c.stall_timeout,
            "A cluster that answers but has taken no message for so long gets a new producer.")
      .Range(5, 86400);
  v.Field("max_in_flight_bytes", c.max_in_flight_bytes,
          "Memory of events that no broker has confirmed yet; beyond it the sink takes no more. "
          "More helps where brokers are far away, and costs CPU where they are near (the caches).")
      .Range(65536, 17179869184.0);
  v.Field("dead_letter", c.dead_letter, "Where events go that Kafka refuses for good.");
  if (v.describing()) return;
  if (!c.key.empty() && !c.key_field.empty())
    v.Complain("key", "only one of key and key_field can be given");
}

Result<std::unique_ptr<Sink>> MakeKafkaSink(const KafkaSinkConfig& config, const Context& context) {
  MILLRACE_ASSIGN(const kafka::Api* api, kafka::Api::Load(config.client.librdkafka_path));
  kafka::WarnOfOldLibrary(*api, config.client, context.id);
  kafka::ClientHealth health(*api, context.id, *context.metrics);
  MILLRACE_TRY(kafka::Producer(*api, config, context.id, health)
                   .MakeConfiguration(config.batch.max_bytes.value));
  MILLRACE_ASSIGN(Template topic, Template::Parse(config.topic, TemplateUse::kTopic));
  std::optional<Template> key;
  if (!config.key.empty()) {
    MILLRACE_ASSIGN(key, Template::Parse(config.key, TemplateUse::kText));
  }
  return std::make_unique<KafkaSink>(*api, config, context, std::move(topic), std::move(key));
}

}  // namespace millrace::agent
