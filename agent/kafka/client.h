#pragma once
// What a consumer and a producer do alike: creation, and what becomes of librdkafka's own errors,
// log lines and statistics.
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/metrics.h"
#include "agent/kafka/client_config.h"
#include "agent/kafka/rdkafka_api.h"

namespace millrace::agent::kafka {

/// A librdkafka configuration with all `settings`. kInvalidArgument says which one it refused.
[[nodiscard]] Result<Conf> MakeConf(const Api& api, const Settings& settings);

/// Turns trouble with brokers into one log line when it begins and one when it ends, and into
/// metrics. One thread at a time.
class ClientHealth {
 public:
  ClientHealth(const Api& api, std::string component_id, Metrics& metrics);

  /// An error of the client as a whole: a broker, the login, the network.
  void OnError(rd_kafka_resp_err_t error, std::string_view text);
  /// A log line of librdkafka; `level` as syslog's.
  void OnLog(int level, std::string_view facility, std::string_view text) const;
  /// librdkafka's statistics (JSON): round trip times of the brokers, messages waiting.
  void OnStatistics(std::string_view json);
  /// Something went through.
  void OnProgress() {
    if (trouble_ != RD_KAFKA_RESP_ERR_NO_ERROR) Recovered();
  }
  /// The newest trouble in words, "" while all is well.
  [[nodiscard]] const std::string& trouble() const { return trouble_text_; }

 private:
  void Recovered();

  const Api& api_;
  std::string id_;
  Metrics& metrics_;
  Counter connection_failed_, login_failed_, other_;
  Gauge queued_messages_, queued_bytes_;
  rd_kafka_resp_err_t trouble_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string trouble_text_;
  std::string detail_;  ///< What the last broker that failed said.
};

}  // namespace millrace::agent::kafka
