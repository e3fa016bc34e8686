#include "agent/sources/kafka/kafka_source.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include <regex.h>

#include "agent/core/name.h"
#include "agent/kafka/rdkafka_api.h"
#include "agent/sources/kafka/consumer.h"
#include "agent/sources/kafka/handoff.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

/// Waiting for the thread that sends downstream. Behind it every sink has a queue of its own.
constexpr std::size_t kHandoffBytes = 2U << 20;
constexpr std::chrono::seconds kReopenAfter{5};

std::string CheckTopics(const std::vector<std::string>& topics) {
  if (topics.empty()) return "must name at least one topic";
  for (const std::string& topic : topics) {
    if (topic.empty() || topic == "^") return "has an empty entry";
    if (topic.front() != '^') {
      for (const char c : topic) {
        const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!ok || topic.size() > 249)
          return "\"" + topic + "\" is not the name of a topic (a pattern starts with ^)";
      }
      continue;
    }
    // librdkafka compiles patterns with regcomp() as well, and only says that one is invalid.
    regex_t compiled{};
    if (const int error = regcomp(&compiled, topic.c_str(), REG_EXTENDED | REG_NOSUB); error != 0) {
      char text[200];
      regerror(error, &compiled, text, sizeof text);
      return "\"" + topic + "\" is not a regular expression: " + text;
    }
    regfree(&compiled);
  }
  return {};
}

class KafkaSource final : public Source {
 public:
  KafkaSource(const kafka::Api& api, KafkaSourceConfig config, Context context)
      : api_(api), config_(std::move(config)), context_(std::move(context)) {
    names_ = {InternName(config_.key_field), InternName(config_.topic_key),
              InternName(config_.partition_key), InternName(config_.offset_key),
              InternName(config_.headers_key)};
  }
  ~KafkaSource() override { Close(); }

  Status Run(std::stop_token stop, Output& out) override {
    auto first = std::make_unique<kafka::Consumer>(api_, config_, context_, names_, handoff_);
    MILLRACE_TRY(first->Open());
    poller_ =
        std::jthread([this, consumer = std::move(first)](const std::stop_token& close) mutable {
          Poll(std::move(consumer), close);
        });
    while (auto batch = handoff_.Pop(stop)) {
      const auto events = static_cast<double>(batch->size());
      const auto bytes = static_cast<double>(batch->bytes);
      if (!out.Send(std::move(batch))) break;
      context_.metrics->sent_events.Add(events);
      context_.metrics->sent_bytes.Add(bytes);
    }
    // From here on the poller answers the group and commits what is still acknowledged.
    drain_.request_stop();
    handoff_.Close();
    return {};
  }

  void Close() override {
    drain_.request_stop();
    handoff_.Close();
    if (!poller_.joinable()) return;
    poller_.request_stop();
    poller_.join();
  }

 private:
  /// A client that met a fatal error (such as a second member with the same group_instance_id) is
  /// of no more use; a new one starts where the group stands.
  void Poll(std::unique_ptr<kafka::Consumer> consumer, const std::stop_token& close) {
    while (true) {
      consumer->Loop(drain_.get_token(), close);
      consumer.reset();
      std::mutex mu;
      std::unique_lock lock(mu);
      std::condition_variable_any timer;
      timer.wait_for(lock, close, kReopenAfter, [] { return false; });
      if (close.stop_requested()) return;
      log::Warn("Kafka consumer is made anew after a fatal error", {{"component", context_.id}});
      consumer = std::make_unique<kafka::Consumer>(api_, config_, context_, names_, handoff_);
      while (!close.stop_requested()) {
        const Status opened = consumer->Open();
        if (opened) break;
        log::Error("Cannot make the Kafka consumer",
                   {{"component", context_.id}, {"error", opened.error()}});
        timer.wait_for(lock, close, kReopenAfter, [] { return false; });
      }
      if (close.stop_requested()) return;
    }
  }

  const kafka::Api& api_;
  const KafkaSourceConfig config_;
  const Context context_;
  kafka::FieldNames names_;
  kafka::Handoff handoff_{kHandoffBytes};
  std::stop_source drain_;
  std::jthread poller_;
};

}  // namespace

void Visit(config::Visitor& v, KafkaSourceConfig& c) {
  kafka::VisitClient(v, c.client, kafka::Role::kConsumer);
  v.Field("topics", c.topics,
          "Topics to read; an entry that starts with ^ is a regular expression (POSIX extended).")
      .Required()
      .Check(CheckTopics);
  v.Field(
       "group_id", c.group_id,
       "Consumer group. Its members share the partitions; its offsets are where reading goes on.")
      .Required()
      .NotEmpty();
  v.Field("group_instance_id", c.group_instance_id,
          "Fixed name of this member: a restart within the session timeout moves no partitions.");
  v.Field("auto_offset_reset", c.auto_offset_reset,
          "Where to start when the group has no offset (or the broker has deleted what is there).");
  v.Field("commit_interval_ms", c.commit_interval_ms,
          "How often offsets of acknowledged events are committed.")
      .Range(10, 3'600'000);
  v.Field("session_timeout_ms", c.session_timeout_ms,
          "A member that is not heard of for so long has left.")
      .Range(1000, 3'600'000);
  v.Field("drain_timeout_ms", c.drain_timeout_ms,
          "When a partition goes to another member: how long to wait for the sinks, so that the "
          "other repeats nothing.")
      .Range(0, 240'000);
  v.Field("fetch_wait_max_ms", c.fetch_wait_max_ms,
          "How long a broker may wait for more data before it answers.")
      .Range(1, 300'000);
  v.Field("fetch_buffer_bytes", c.fetch_buffer_bytes,
          "Messages read ahead, uncompressed, of all partitions together.")
      .Range(65536, 2147483648.0);
  v.Field("key_field", c.key_field, "Field for the message's key; \"\" = none.");
  v.Field("topic_key", c.topic_key, "Field for the topic; \"\" = none.");
  v.Field("partition_key", c.partition_key, "Field for the partition; \"\" = none.");
  v.Field("offset_key", c.offset_key, "Field for the offset; \"\" = none.");
  v.Field("headers_key", c.headers_key,
          "Field for the headers, an object with a list of values under each name; \"\" = none.");
}

Result<std::unique_ptr<Source>> MakeKafkaSource(const KafkaSourceConfig& config,
                                                const Context& context) {
  MILLRACE_ASSIGN(const kafka::Api* api, kafka::Api::Load(config.client.librdkafka_path));
  kafka::WarnOfOldLibrary(*api, config.client, context.id);
  // Everything librdkafka can refuse is refused now, not when the agent runs.
  kafka::Handoff unused(0);
  const kafka::FieldNames names;
  MILLRACE_TRY(kafka::Consumer(*api, config, context, names, unused).MakeConfiguration());
  return std::make_unique<KafkaSource>(*api, config, context);
}

}  // namespace millrace::agent
