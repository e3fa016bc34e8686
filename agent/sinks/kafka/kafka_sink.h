#pragma once
// Sink `kafka`: an idempotent producer. An event counts as delivered when all in-sync replicas have
// it.
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "agent/core/component.h"
#include "agent/encode/encoder.h"
#include "agent/kafka/client_config.h"
#include "agent/sinks/support/dead_letter.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct KafkaSinkConfig {
  enum class Compression : unsigned char { kNone, kGzip, kSnappy, kLz4, kZstd };
  /// Where an event without a key goes.
  enum class PartitionBy : unsigned char { kStream, kRandom };
  enum class Partitioner : unsigned char { kMurmur2, kConsistent };
  struct Batch {
    std::uint32_t max_events = 10000;
    config::Bytes max_bytes{1'000'000};
    std::chrono::milliseconds timeout{20};
  };

  kafka::ClientConfig client;
  std::string topic, topic_fallback = "unknown";
  std::string key_field, key;
  std::map<std::string, std::string> headers;
  bool event_id_header = true;
  EncodingConfig encoding;
  Compression compression = Compression::kNone;
  int compression_level = -1;
  Batch batch;
  PartitionBy partition_by = PartitionBy::kStream;
  Partitioner partitioner = Partitioner::kMurmur2;
  config::Bytes max_message_bytes{1'000'000};
  std::uint32_t message_timeout_ms = 0;
  std::chrono::milliseconds stall_timeout{60'000};
  config::Bytes max_in_flight_bytes{8U << 20};
  DeadLetterConfig dead_letter;
};
void Visit(config::Visitor& v, KafkaSinkConfig::Batch& c);
void Visit(config::Visitor& v, KafkaSinkConfig& c);
[[nodiscard]] Result<std::unique_ptr<Sink>> MakeKafkaSink(const KafkaSinkConfig& config,
                                                          const Context& context);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::KafkaSinkConfig::Compression> {
  using enum millrace::agent::KafkaSinkConfig::Compression;
  static constexpr std::pair<millrace::agent::KafkaSinkConfig::Compression, std::string_view>
      kList[] = {
          {kNone, "none"}, {kGzip, "gzip"}, {kSnappy, "snappy"}, {kLz4, "lz4"}, {kZstd, "zstd"}};
};
template <>
struct millrace::config::EnumNames<millrace::agent::KafkaSinkConfig::PartitionBy> {
  using enum millrace::agent::KafkaSinkConfig::PartitionBy;
  static constexpr std::pair<millrace::agent::KafkaSinkConfig::PartitionBy, std::string_view>
      kList[] = {{kStream, "stream"}, {kRandom, "random"}};
};
template <>
struct millrace::config::EnumNames<millrace::agent::KafkaSinkConfig::Partitioner> {
  using enum millrace::agent::KafkaSinkConfig::Partitioner;
  static constexpr std::pair<millrace::agent::KafkaSinkConfig::Partitioner, std::string_view>
      kList[] = {{kMurmur2, "murmur2"}, {kConsistent, "consistent"}};
};
