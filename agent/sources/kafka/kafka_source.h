#pragma once
// Source `kafka`: a member of a consumer group. An offset is committed when every sink has what
// stands before it, never earlier.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/component.h"
#include "agent/kafka/client_config.h"
#include "common/config/visitor.h"

namespace millrace::agent {

enum class OffsetReset : unsigned char {
  kSmallest,
  kEarliest,
  kBeginning,
  kLargest,
  kLatest,
  kEnd
};

struct KafkaSourceConfig {
  kafka::ClientConfig client;
  std::vector<std::string> topics;
  std::string group_id;
  std::string group_instance_id;
  OffsetReset auto_offset_reset = OffsetReset::kLargest;
  std::uint32_t commit_interval_ms = 5000;
  std::uint32_t session_timeout_ms = 10000;
  std::uint32_t drain_timeout_ms = 5000;
  std::uint32_t fetch_wait_max_ms = 100;
  config::Bytes fetch_buffer_bytes{4U << 20};
  std::string key_field = "message_key";
  std::string topic_key = "topic";
  std::string partition_key = "partition";
  std::string offset_key = "offset";
  std::string headers_key = "headers";
};
void Visit(config::Visitor& v, KafkaSourceConfig& c);
[[nodiscard]] Result<std::unique_ptr<Source>> MakeKafkaSource(const KafkaSourceConfig& config,
                                                              const Context& context);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::OffsetReset> {
  using enum millrace::agent::OffsetReset;
  static constexpr std::pair<millrace::agent::OffsetReset, std::string_view> kList[] = {
      {kSmallest, "smallest"}, {kEarliest, "earliest"}, {kBeginning, "beginning"},
      {kLargest, "largest"},   {kLatest, "latest"},     {kEnd, "end"}};
};
