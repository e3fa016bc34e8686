#pragma once
// librdkafka, loaded when the first Kafka component is made. A process without one does not pay for
// it (2.5 MB of resident memory), and a user whose distribution has an old release can name a newer
// one without building anything.
#include <memory>
#include <string>

#include <librdkafka/rdkafka.h>

#include "common/base/result.h"

namespace millrace::agent::kafka {

// Each name is a function of librdkafka without its "rd_kafka_" prefix; all are in 1.9 and newer.
// clang-format off
#define MILLRACE_RDKAFKA_FUNCTIONS(X)                                                        \
  X(version) X(version_str) X(err2str) X(err2name)                                           \
  X(conf_new) X(conf_destroy) X(conf_set) X(conf_set_events) X(conf_set_opaque)              \
  X(conf_set_rebalance_cb) X(conf_set_error_cb) X(conf_set_log_cb) X(conf_set_stats_cb)      \
  X(default_topic_conf_dup) X(topic_conf_set_partitioner_cb)                                \
  X(topic_conf_set_opaque) X(topic_new) X(topic_destroy) X(topic_name)                       \
  X(destroy) X(destroy_flags) X(clusterid) X(set_log_queue) X(mem_free)                      \
  X(queue_new) X(queue_get_main) X(queue_get_consumer) X(queue_destroy) X(queue_poll)        \
  X(event_type) X(event_destroy) X(event_message_array) X(event_error)                       \
  X(event_error_string) X(event_log) X(event_stats) X(event_topic_partition_list)            \
  X(fatal_error) X(error_code) X(error_string) X(error_destroy)                              \
  X(metadata) X(metadata_destroy) X(produceva) X(purge) X(flush)                             \
  X(msg_partitioner_consistent) X(msg_partitioner_murmur2) X(msg_partitioner_random)         \
  X(poll_set_consumer) X(subscribe) X(assignment) X(assign)                                  \
  X(incremental_assign) X(incremental_unassign) X(assignment_lost) X(rebalance_protocol)     \
  X(consume_batch_queue) X(message_destroy) X(message_timestamp) X(message_headers)          \
  X(message_errstr) X(header_get_all) X(pause_partitions) X(resume_partitions)               \
  X(commit_queue) X(consumer_close_queue) X(consumer_closed) X(get_watermark_offsets) X(offsets_for_times)        \
  X(topic_partition_list_new) X(topic_partition_list_destroy) X(topic_partition_list_add)
// clang-format on

/// The functions of one loaded librdkafka. Never unloaded: its threads may outlive a client by a
/// moment.
struct Api {
#define MILLRACE_RDKAFKA_MEMBER(name) decltype(&::rd_kafka_##name) name = nullptr;
  MILLRACE_RDKAFKA_FUNCTIONS(MILLRACE_RDKAFKA_MEMBER)
#undef MILLRACE_RDKAFKA_MEMBER
  decltype(&::rd_kafka_new) create = nullptr;  ///< rd_kafka_new: "new" is taken.

  std::string path;  ///< As it was asked for.

  /// Loads the library at `path` once; "" means the environment's MILLRACE_LIBRDKAFKA or, without
  /// it, librdkafka.so.1 as the dynamic linker finds it. Thread safe. kNotFound if there is none,
  /// kInvalidArgument if it is too old.
  static Result<const Api*> Load(const std::string& path);

  /// Before 2.6.1 librdkafka doubles the server's nonce in SCRAM, which Kafka 4 refuses as "invalid
  /// credentials" (older brokers did not look).
  [[nodiscard]] bool scram_works_with_kafka4() const { return version() >= 0x020601ff; }
  /// Before 2.2 a consumer whose read-ahead was full fetches again after up to a second, however
  /// quickly it was emptied.
  [[nodiscard]] bool has_fetch_queue_backoff() const { return version() >= 0x020200ff; }
};

/// Deleters, one alias a handle: all need the table.
template <auto Api::* kDestroy>
struct Destroy {
  const Api* api;
  template <class T>
  void operator()(T* handle) const {
    (api->*kDestroy)(handle);
  }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, Destroy<&Api::conf_destroy>>;
using Client = std::unique_ptr<rd_kafka_t, Destroy<&Api::destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Destroy<&Api::queue_destroy>>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, Destroy<&Api::topic_destroy>>;
using KafkaError = std::unique_ptr<rd_kafka_error_t, Destroy<&Api::error_destroy>>;
using EventHandle = std::unique_ptr<rd_kafka_event_t, Destroy<&Api::event_destroy>>;
using PartitionList =
    std::unique_ptr<rd_kafka_topic_partition_list_t, Destroy<&Api::topic_partition_list_destroy>>;

}  // namespace millrace::agent::kafka
