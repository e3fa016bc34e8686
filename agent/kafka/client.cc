#include "agent/kafka/client.h"

#include <array>

#include <simdjson.h>

#include "common/base/strings.h"
#include "common/log/log.h"

namespace millrace::agent::kafka {
namespace {

/// Series by broker; a cluster that is larger shows its first ones.
constexpr std::size_t kMaxBrokers = 64;

bool IsLogin(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
      return true;
    default:
      return false;
  }
}

bool IsConnection(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__RESOLVE ||
         error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || error == RD_KAFKA_RESP_ERR__TIMED_OUT;
}

}  // namespace

Result<Conf> MakeConf(const Api& api, const Settings& settings) {
  Conf conf(api.conf_new(), {&api});
  for (const auto& [name, value] : settings) {
    std::array<char, 512> text{};
    if (api.conf_set(conf.get(), name.c_str(), value.c_str(), text.data(), text.size()) !=
        RD_KAFKA_CONF_OK)
      return Fail(ErrorCode::kInvalidArgument,
                  "librdkafka " + std::string(api.version_str()) + ": " + text.data());
  }
  return conf;
}

ClientHealth::ClientHealth(const Api& api, std::string component_id, Metrics& metrics)
    : api_(api),
      id_(std::move(component_id)),
      metrics_(metrics),
      connection_failed_(metrics.Errors("connection_failed")),
      login_failed_(metrics.Errors("authentication_failed")),
      other_(metrics.Errors("request_failed")),
      queued_messages_(
          metrics.GetGauge("kafka_queued_messages", "Messages that librdkafka holds in memory.")),
      queued_bytes_(metrics.GetGauge("kafka_queued_bytes",
                                     "Bytes of messages that librdkafka holds in memory.")) {}

void ClientHealth::OnError(rd_kafka_resp_err_t error, std::string_view text) {
  if (IsLogin(error)) {
    login_failed_.Add();
  } else if (IsConnection(error)) {
    connection_failed_.Add();
  } else {
    other_.Add();
  }
  // One broker of several may go away (a restart); only all of them down is trouble. What the
  // single one said is the detail that makes the line useful.
  if (IsConnection(error) && error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    detail_ = text;
    return;
  }
  // A login that fails is reported by every broker again, and then as "all brokers down".
  if (error == trouble_ || (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && IsLogin(trouble_)))
    return;
  trouble_ = error;
  trouble_text_ = error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !detail_.empty()
                      ? detail_
                      : std::string(text);
  if (IsLogin(error)) {
    log::Error("Kafka refuses the connection; trying on",
               {{"component", id_}, {"error", trouble_text_}});
  } else if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    log::Warn("No Kafka broker can be reached; trying on",
              {{"component", id_}, {"error", trouble_text_}});
  } else {
    log::Warn("Kafka client has trouble",
              {{"component", id_}, {"kind", api_.err2name(error)}, {"error", trouble_text_}});
  }
}

void ClientHealth::Recovered() {
  trouble_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  trouble_text_.clear();
  detail_.clear();
  log::Info("Kafka works again", {{"component", id_}});
}

void ClientHealth::OnLog(int level, std::string_view facility, std::string_view text) const {
  // Whatever needs an operator comes as an error too; these lines are for looking closer.
  (void)level;
  log::Debug("librdkafka", {{"component", id_}, {"facility", facility}, {"text", text}});
}

void ClientHealth::OnStatistics(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS) return;
  std::int64_t value = 0;
  if (root["msg_cnt"].get(value) == simdjson::SUCCESS)
    queued_messages_.Set(static_cast<double>(value));
  if (root["msg_size"].get(value) == simdjson::SUCCESS)
    queued_bytes_.Set(static_cast<double>(value));
  simdjson::dom::object brokers;
  if (root["brokers"].get(brokers) != simdjson::SUCCESS) return;
  std::size_t seen = 0;
  for (const auto& [name, broker] : brokers) {
    std::int64_t id = -1, microseconds = 0, count = 0;
    if (broker["nodeid"].get(id) != simdjson::SUCCESS || id < 0 ||
        broker["rtt"]["cnt"].get(count) != simdjson::SUCCESS || count == 0 ||
        broker["rtt"]["p99"].get(microseconds) != simdjson::SUCCESS)
      continue;
    if (++seen > kMaxBrokers) break;
    metrics_
        .GetGauge("kafka_broker_rtt_seconds",
                  "Round trip time of requests to a broker, 99th percentile since the last "
                  "statistics.",
                  {{"broker", std::to_string(id)}})
        .Set(static_cast<double>(microseconds) / 1e6);
  }
}

}  // namespace millrace::agent::kafka
