#include "agent/kafka/client_config.h"

#include <array>
#include <cctype>
#include <span>

#include <unistd.h>

#include "agent/kafka/rdkafka_api.h"
#include "common/base/fd.h"
#include "common/base/strings.h"
#include "common/log/log.h"

namespace millrace::agent::kafka {
namespace {

struct Refused {
  std::string_view option, why;
};
constexpr std::string_view kOwnKey = "has a key of its own: ";
constexpr std::array kRefusedAlways = {
    Refused{"bootstrap.servers", "bootstrap_servers"},
    Refused{"metadata.broker.list", "bootstrap_servers"},
    Refused{"log.queue", ""},
    Refused{"plugin.library.paths", ""},
};
constexpr std::array kRefusedForConsumers = {
    Refused{"group.id", "group_id"},
    Refused{"enable.auto.commit", ""},
    Refused{"enable.auto.offset.store", ""},
    Refused{"auto.commit.interval.ms", "commit_interval_ms"},
    Refused{"enable.partition.eof", ""},
};
constexpr std::array kRefusedForProducers = {
    Refused{"acks", ""},
    Refused{"request.required.acks", ""},
    Refused{"enable.idempotence", ""},
    Refused{"transactional.id", ""},
    Refused{"message.timeout.ms", "message_timeout_ms"},
    Refused{"delivery.timeout.ms", "message_timeout_ms"},
    Refused{"delivery.report.only.error", ""},
    Refused{"partitioner", "partitioner"},
    Refused{"sticky.partitioning.linger.ms", "partition_by"},
};

std::string WhyRefused(std::span<const Refused> table, std::string_view option) {
  for (const Refused& r : table) {
    if (r.option != option) continue;
    if (!r.why.empty()) return std::string(kOwnKey) + std::string(r.why);
    return "is set by the agent: its delivery guarantee stands on it";
  }
  return {};
}

std::string Readable(const std::string& path) {
  if (path.empty() || access(path.c_str(), R_OK) == 0) return {};
  return FailErrno("cannot read " + path, errno).value().message;
}

bool ValidHost(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (const char c : host) {
    const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.' || c == '_';
    if (!ok) return false;
  }
  return true;
}

bool ValidIpv6(std::string_view host) {
  bool colon = false;
  for (const char c : host) {
    colon = colon || c == ':';
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0 && c != ':' && c != '.') return false;
  }
  return colon;
}

std::string CheckBroker(std::string_view broker) {
  const std::string quoted = "\"" + Printable(broker, 80) + "\"";
  if (broker.empty()) return "has an empty entry (write host:port,host:port)";
  if (broker.find("://") != std::string_view::npos)
    return quoted + " must be host:port without a scheme (TLS and SASL are set by tls and sasl)";
  std::string_view host, port;
  if (broker.front() == '[') {
    const auto end = broker.find(']');
    if (end == std::string_view::npos || !ValidIpv6(broker.substr(1, end - 1)))
      return quoted + " is not [IPv6 address]:port";
    host = broker.substr(0, end + 1);
    port = broker.substr(end + 1);
    if (!port.empty() && port.front() != ':') return quoted + " is not [IPv6 address]:port";
    if (!port.empty()) port.remove_prefix(1);
    if (broker.size() == end + 1) return {};
  } else {
    const auto colon = broker.find(':');
    host = broker.substr(0, colon);
    if (!ValidHost(host)) return quoted + " is not host:port";
    if (colon == std::string_view::npos) return {};
    port = broker.substr(colon + 1);
  }
  const auto number = ParseNumber<std::uint32_t>(port);
  if (!number || *number == 0 || *number > 65535)
    return quoted + " is not host:port with a port from 1 to 65535";
  return {};
}

std::string CheckOptions(const std::map<std::string, std::string>& options,
                         const std::string& library, Role role) {
  for (const auto& [name, value] : options) {
    std::string why = WhyRefused(kRefusedAlways, name);
    if (why.empty())
      why = role == Role::kConsumer ? WhyRefused(kRefusedForConsumers, name)
                                    : WhyRefused(kRefusedForProducers, name);
    if (!why.empty()) return "\"" + name + "\" " + why;
  }
  if (options.empty()) return {};
  const auto api = Api::Load(library);
  if (!api) return api.error().message;
  const Conf conf((*api)->conf_new(), {*api});
  for (const auto& [name, value] : options) {
    std::array<char, 512> text{};
    if ((*api)->conf_set(conf.get(), name.c_str(), value.c_str(), text.data(), text.size()) !=
        RD_KAFKA_CONF_OK)
      return std::string(text.data()) + " (librdkafka " + (*api)->version_str() + ")";
  }
  return {};
}

}  // namespace

std::string CheckBrokers(const std::string& text) {
  for (const std::string_view broker : Split(text, ',')) {
    if (std::string why = CheckBroker(Trim(broker)); !why.empty()) return why;
  }
  return {};
}

void Visit(config::Visitor& v, TlsConfig& c) {
  v.Field("enabled", c.enabled, "Speak TLS to the brokers.");
  v.Field("ca_file", c.ca_file,
          "PEM file with the authorities to trust. Without it, the system's are trusted.")
      .Check(Readable);
  v.Field("crt_file", c.crt_file, "PEM file with the client's certificate, for mutual TLS.")
      .Check(Readable);
  v.Field("key_file", c.key_file, "PEM file with the key of crt_file.").Check(Readable);
  v.Field("key_pass", c.key_pass, "Passphrase of key_file.");
  v.Field("verify_certificate", c.verify_certificate,
          "Refuse a broker whose certificate no trusted authority signed. False makes the "
          "connection open to anybody in between.");
  v.Field("verify_hostname", c.verify_hostname,
          "Refuse a broker whose certificate is for another host name.");
  if (v.describing()) return;
  if (c.crt_file.empty() != c.key_file.empty())
    v.Complain(c.crt_file.empty() ? "key_file" : "crt_file",
               "crt_file and key_file are needed together");
}

void Visit(config::Visitor& v, SaslConfig& c) {
  v.Field("enabled", c.enabled, "Log in to the brokers with SASL.");
  v.Field("mechanism", c.mechanism,
          "How. SCRAM needs librdkafka 2.6.1 or newer if the brokers run Kafka 4.")
      .OneOf({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"});
  v.Field("username", c.username, "User name.");
  v.Field("password", c.password, "Password; better written as ${VAR} or kept in password_file.");
  v.Field("password_file", c.password_file,
          "File with the password (without its last newline). Read when the component starts.")
      .Check(Readable);
  if (v.describing() || !c.enabled) return;
  if (c.username.empty()) v.Complain("username", "is needed when sasl is enabled");
  if (c.password.empty() == c.password_file.empty())
    v.Complain("password", "exactly one of password and password_file is needed");
}

void VisitClient(config::Visitor& v, ClientConfig& c, Role role) {
  v.Field("bootstrap_servers", c.bootstrap_servers,
          "Brokers to ask first, host:port separated by commas; the others are learnt from them.")
      .Required()
      .Check(CheckBrokers);
  v.Field("tls", c.tls, "Encryption.");
  v.Field("sasl", c.sasl, "Authentication.");
  v.Field("librdkafka_path", c.librdkafka_path,
          "Another librdkafka than the system's librdkafka.so.1. The environment variable "
          "MILLRACE_LIBRDKAFKA does the same for all components.");
  v.Field("librdkafka_options", c.librdkafka_options,
          "Any option of librdkafka that has no key here, as a string; see its CONFIGURATION.md.")
      .Check([&](const auto& options) { return CheckOptions(options, c.librdkafka_path, role); });
}

Result<Settings> ClientSettings(const ClientConfig& config, Settings defaults) {
  Settings s = std::move(defaults);
  s.emplace_back("bootstrap.servers", config.bootstrap_servers);
  s.emplace_back("log.queue", "true");
  // A broker closes a connection that was idle; that is not worth a line.
  s.emplace_back("log.connection.close", "false");
  s.emplace_back("reconnect.backoff.max.ms", "5000");
  const bool tls = config.tls.enabled, sasl = config.sasl.enabled;
  s.emplace_back("security.protocol",
                 sasl ? (tls ? "sasl_ssl" : "sasl_plaintext") : (tls ? "ssl" : "plaintext"));
  const auto add = [&s](const char* name, const std::string& value) {
    if (!value.empty()) s.emplace_back(name, value);
  };
  if (tls) {
    add("ssl.ca.location", config.tls.ca_file);
    add("ssl.certificate.location", config.tls.crt_file);
    add("ssl.key.location", config.tls.key_file);
    add("ssl.key.password", config.tls.key_pass.value);
    add("enable.ssl.certificate.verification", config.tls.verify_certificate ? "true" : "false");
    add("ssl.endpoint.identification.algorithm", config.tls.verify_hostname ? "https" : "none");
  }
  if (sasl) {
    s.emplace_back("sasl.mechanism", config.sasl.mechanism);
    s.emplace_back("sasl.username", config.sasl.username);
    std::string password = config.sasl.password.value;
    if (!config.sasl.password_file.empty()) {
      auto text = ReadFile(config.sasl.password_file, 64 * 1024);
      if (!text) return tl::unexpected<Error>(std::move(text).error().Within("sasl.password_file"));
      password = std::move(*text);
      if (!password.empty() && password.back() == '\n') password.pop_back();
    }
    s.emplace_back("sasl.password", password);
  }
  for (const auto& [name, value] : config.librdkafka_options) s.emplace_back(name, value);
  return s;
}

void WarnOfOldLibrary(const Api& api, const ClientConfig& config, std::string_view component_id) {
  if (!config.sasl.enabled || config.sasl.mechanism == "PLAIN" || api.scram_works_with_kafka4())
    return;
  log::Warn(
      "This librdkafka cannot log in to Kafka 4 with SCRAM (brokers will answer: invalid "
      "credentials); name librdkafka 2.6.1 or newer with librdkafka_path, or use PLAIN over TLS",
      {{"component", component_id},
       {"librdkafka", api.version_str()},
       {"mechanism", config.sasl.mechanism}});
}

}  // namespace millrace::agent::kafka
