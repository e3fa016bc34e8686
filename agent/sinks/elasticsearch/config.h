#pragma once
// Options of the elasticsearch sink; the names are Vector's where the idea is.
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/compress/compressor.h"
#include "agent/encode/encoder.h"
#include "agent/sinks/support/dead_letter.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct ElasticsearchConfig {
  enum class Mode : std::uint8_t { kBulk, kDataStream };
  enum class Action : std::uint8_t { kCreate, kIndex };
  enum class Strategy : std::uint8_t { kNone, kBasic, kApiKey, kBearer };
  struct Bulk {
    Action action = Action::kCreate;
    std::string index = "millrace-%Y.%m.%d";
  };
  struct DataStream {
    std::string type = "logs", dataset = "generic", space = "default";
  };
  struct Encoding {
    std::vector<std::string> only_fields, except_fields;
    TimestampFormat timestamp_format = TimestampFormat::kRfc3339;
  };
  struct Batch {
    std::uint32_t max_events = 2000;
    config::Bytes max_bytes{20'971'520};
    std::chrono::milliseconds timeout{5000};
  };
  struct Auth {
    Strategy strategy = Strategy::kNone;
    std::string user;
    config::Secret password, api_key, token;
  };
  struct Tls {
    std::string ca_file, crt_file, key_file;
    config::Secret key_pass;
    bool verify_certificate = true, verify_hostname = true;
  };
  struct Request {
    std::uint32_t concurrency = 4;
    std::chrono::milliseconds timeout{60'000};
    std::chrono::milliseconds retry_initial_backoff{1000}, retry_max_backoff{30'000};
    std::map<std::string, std::string> headers;
  };

  std::vector<std::string> endpoints;
  Mode mode = Mode::kBulk;
  Bulk bulk;
  DataStream data_stream;
  std::string fallback = "unknown", id_key, pipeline, timestamp_field = "@timestamp", proxy;
  std::map<std::string, std::string> query;
  Encoding encoding;
  Compression compression = Compression::kGzip;
  int compression_level = 0;
  Batch batch;
  Auth auth;
  Tls tls;
  Request request;
  DeadLetterConfig dead_letter;

  /// Text of the template that names the target of an event.
  [[nodiscard]] std::string TargetTemplate() const;
};
void Visit(config::Visitor& v, ElasticsearchConfig::Bulk& c);
void Visit(config::Visitor& v, ElasticsearchConfig::DataStream& c);
void Visit(config::Visitor& v, ElasticsearchConfig::Encoding& c);
void Visit(config::Visitor& v, ElasticsearchConfig::Batch& c);
void Visit(config::Visitor& v, ElasticsearchConfig::Auth& c);
void Visit(config::Visitor& v, ElasticsearchConfig::Tls& c);
void Visit(config::Visitor& v, ElasticsearchConfig::Request& c);
void Visit(config::Visitor& v, ElasticsearchConfig& c);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::ElasticsearchConfig::Mode> {
  using enum millrace::agent::ElasticsearchConfig::Mode;
  static constexpr std::pair<millrace::agent::ElasticsearchConfig::Mode, std::string_view> kList[] =
      {{kBulk, "bulk"}, {kDataStream, "data_stream"}};
};
template <>
struct millrace::config::EnumNames<millrace::agent::ElasticsearchConfig::Action> {
  using enum millrace::agent::ElasticsearchConfig::Action;
  static constexpr std::pair<millrace::agent::ElasticsearchConfig::Action, std::string_view>
      kList[] = {{kCreate, "create"}, {kIndex, "index"}};
};
template <>
struct millrace::config::EnumNames<millrace::agent::ElasticsearchConfig::Strategy> {
  using enum millrace::agent::ElasticsearchConfig::Strategy;
  static constexpr std::pair<millrace::agent::ElasticsearchConfig::Strategy, std::string_view>
      kList[] = {{kNone, "none"}, {kBasic, "basic"}, {kApiKey, "api_key"}, {kBearer, "bearer"}};
};
