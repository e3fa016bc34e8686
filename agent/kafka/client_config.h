#pragma once
// What the Kafka source and the Kafka sink have in common in a configuration, and the librdkafka
// configuration that comes of it.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/config/visitor.h"

namespace millrace::agent::kafka {

struct Api;

struct TlsConfig {
  bool enabled = false;
  std::string ca_file, crt_file, key_file;
  config::Secret key_pass;
  bool verify_certificate = true;
  bool verify_hostname = true;
};
void Visit(config::Visitor& v, TlsConfig& c);

struct SaslConfig {
  bool enabled = false;
  std::string mechanism = "PLAIN";
  std::string username;
  config::Secret password;
  std::string password_file;
};
void Visit(config::Visitor& v, SaslConfig& c);

struct ClientConfig {
  std::string bootstrap_servers;
  TlsConfig tls;
  SaslConfig sasl;
  std::map<std::string, std::string> librdkafka_options;
  std::string librdkafka_path;
};

enum class Role : unsigned char { kConsumer, kProducer };

/// Lists the keys above among a component's own. Options of librdkafka are checked against the
/// library itself; those on which our guarantees stand are refused.
void VisitClient(config::Visitor& v, ClientConfig& c, Role role);

/// What is wrong with a list of brokers "host:port,[::1]:9092"; "" = nothing.
[[nodiscard]] std::string CheckBrokers(const std::string& text);

/// Ordered: a later setting of the same name wins.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// Everything librdkafka is told, in order: `defaults` of the component, then TLS, SASL and
/// brokers, then the user's librdkafka_options. Reads password_file. kInvalidArgument /
/// kPermission / kNotFound.
[[nodiscard]] Result<Settings> ClientSettings(const ClientConfig& config, Settings defaults);

/// Says once, with what to do, if the configuration cannot work with the librdkafka that is loaded.
void WarnOfOldLibrary(const Api& api, const ClientConfig& config, std::string_view component_id);

}  // namespace millrace::agent::kafka
