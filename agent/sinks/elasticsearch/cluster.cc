#include "agent/sinks/elasticsearch/cluster.h"

#include <algorithm>

#include <simdjson.h>

#include "common/base/strings.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

constexpr std::chrono::milliseconds kCheckTimeout{5000};

std::string BulkPath(const ElasticsearchConfig& config) {
  // Position tells which item a result belongs to, so every item must be in the reply, but no more
  // of it than its status and error.
  std::string path =
      "/_bulk?filter_path=errors,took,items.*.status,items.*.error.type,items.*.error.reason,"
      "items.*.failure_store";
  if (!config.pipeline.empty()) path += "&pipeline=" + http::UrlEncode(config.pipeline);
  for (const auto& [name, value] : config.query)
    path += "&" + http::UrlEncode(name) + "=" + http::UrlEncode(value);
  return path;
}

std::string WithoutSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

ServerInfo ServerOf(const http::Response& response) {
  ServerInfo info;
  if (!response.header("x-opensearch-version").empty()) {
    info.known = info.opensearch = true;
    info.version = response.header("x-opensearch-version");
  } else if (response.header("x-elastic-product") == "Elasticsearch") {
    info.known = true;
  }
  simdjson::dom::parser parser;
  simdjson::dom::element version;
  if (response.status != 200 ||
      parser.parse(response.body)["version"].get(version) != simdjson::SUCCESS)
    return info;
  std::string_view number, distribution;
  if (version["number"].get_string().get(number) == simdjson::SUCCESS) {
    info.version = number;
    info.known = true;
  }
  if (version["distribution"].get_string().get(distribution) == simdjson::SUCCESS)
    info.opensearch = distribution == "opensearch";
  return info;
}

http::ClientOptions HttpOptions(const ElasticsearchConfig& config) {
  using Strategy = ElasticsearchConfig::Strategy;
  http::ClientOptions o;
  o.tls = {config.tls.ca_file,        config.tls.crt_file,           config.tls.key_file,
           config.tls.key_pass.value, config.tls.verify_certificate, config.tls.verify_hostname};
  o.proxy = config.proxy;
  // Never Accept-Encoding: OpenSearch 2.19.0 hangs when a client accepts zstd, and the replies are
  // small.
  switch (config.auth.strategy) {
    case Strategy::kNone:
      break;
    case Strategy::kBasic:
      o.headers.push_back("Authorization: Basic " +
                          Base64Encode(config.auth.user + ":" + config.auth.password.value));
      break;
    case Strategy::kApiKey:
      o.headers.push_back("Authorization: ApiKey " + config.auth.api_key.value);
      break;
    case Strategy::kBearer:
      o.headers.push_back("Authorization: Bearer " + config.auth.token.value);
      break;
  }
  for (const auto& [name, value] : config.request.headers) o.headers.push_back(name + ": " + value);
  return o;
}

Cluster::Cluster(const ElasticsearchConfig& config, std::string component_id, Metrics& metrics)
    : config_(config),
      id_(std::move(component_id)),
      bulk_path_(BulkPath(config)),
      metrics_(metrics) {
  for (const std::string& endpoint : config.endpoints) {
    const std::string url = WithoutSlash(endpoint);
    nodes_.push_back(
        {url, Circuit(1, config.request.retry_initial_backoff, config.request.retry_max_backoff),
         true,
         metrics.GetGauge("endpoint_healthy", "Whether the last request was answered.",
                          {{"endpoint", url}})});
  }
}

ServerInfo Cluster::server() const {
  const std::lock_guard lock(mu_);
  return server_;
}

bool Cluster::TakesZstd() const {
  const ServerInfo info = server();
  if (!info.known) return true;
  // "3.8.0", and in the header "OpenSearch/3.8.0".
  const std::string_view number =
      std::string_view(info.version).substr(info.version.rfind('/') + 1);
  return info.opensearch &&
         ParseNumber<unsigned>(number.substr(0, number.find('.'))).value_or(0) >= 3;
}

Cluster::Pick Cluster::Next() {
  const std::lock_guard lock(mu_);
  const auto now = Clock::now();
  Pick pick;
  pick.wait_until = Clock::time_point::max();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const std::size_t n = (turn_ + i) % nodes_.size();
    Node& node = nodes_[n];
    const bool was_open = node.circuit.open();
    if (node.circuit.Allow(now)) {
      turn_ = n + 1;
      pick.node = n;
      pick.check = was_open || std::exchange(node.fresh, false);
      return pick;
    }
    // One that is being tried by another thread is worth another look soon.
    pick.wait_until = std::min(
        pick.wait_until, std::max(node.circuit.retry_at(), now + std::chrono::milliseconds(50)));
  }
  pick.none = true;
  return pick;
}

void Cluster::Note(std::size_t n, bool ok, const std::string& error) {
  const std::lock_guard lock(mu_);
  Node& node = nodes_[n];
  node.healthy.Set(ok ? 1 : 0);
  if (ok) {
    const bool was_open = node.circuit.open();
    node.circuit.Succeeded();
    if (was_open || outage_)
      log::Info("Search server answers again", {{"component_id", id_}, {"endpoint", node.url}});
    outage_ = false;
    return;
  }
  const bool news = !node.circuit.open();
  node.circuit.Failed(Clock::now());
  if (news)
    log::Warn("Search server does not answer; others are tried, and it again later",
              {{"component_id", id_}, {"endpoint", node.url}, {"error", error}});
  const bool all = std::all_of(nodes_.begin(), nodes_.end(),
                               [](const Node& other) { return other.circuit.open(); });
  if (all && !outage_) {
    outage_ = true;
    log::Error("No search server answers; events wait", {{"component_id", id_}, {"error", error}});
  }
}

void Cluster::Learn(const http::Response& response, const std::string& url) {
  ServerInfo info = ServerOf(response);
  if (!info.known) return;
  const std::lock_guard lock(mu_);
  if (!server_.known)
    log::Info("Connected to a search server",
              {{"component_id", id_},
               {"endpoint", url},
               {"server", info.opensearch ? "OpenSearch" : "Elasticsearch"},
               {"version", info.version}});
  server_ = std::move(info);
}

Status Cluster::Link::Connect() {
  if (client_ != nullptr) return {};
  MILLRACE_ASSIGN(client_, http::Client::Make(HttpOptions(cluster_.config_)));
  return {};
}

void Cluster::Link::Greet(const std::stop_token& stop) {
  if (cluster_.server().known || !Connect()) return;
  const Pick pick = cluster_.Next();
  if (!pick.none) static_cast<void>(Check(pick.node, stop));
}

bool Cluster::Link::Check(std::size_t n, const std::stop_token& stop) {
  const std::string& url = cluster_.nodes_[n].url;  // never changes
  http::Request request;
  request.url = url + "/";
  request.timeout = std::min(kCheckTimeout, cluster_.config_.request.timeout);
  http::Response response;
  const auto sent = client_->Send(request, response, stop);
  if (!sent) {
    if (sent.error().kind == http::Failure::Kind::kCancelled) return false;
    cluster_.metrics_.Errors(sent.error().name()).Add();
    cluster_.Note(n, false, sent.error().message);
    return false;
  }
  // A refusal of this page (401, 404, 405) says nothing about bulk requests, but somebody is there.
  if (response.status >= 502 && response.status <= 504) {
    cluster_.Note(n, false, url + " answers " + std::to_string(response.status));
    return false;
  }
  cluster_.Note(n, true, {});
  cluster_.Learn(response, url);
  return true;
}

tl::expected<void, http::Failure> Cluster::Link::Bulk(std::string_view body, Compression encoding,
                                                      http::Response& response,
                                                      const std::stop_token& stop) {
  const auto cancelled = [] {
    return tl::make_unexpected(http::Failure{http::Failure::Kind::kCancelled, "stopped"});
  };
  if (const Status s = Connect(); !s)
    return tl::make_unexpected(http::Failure{http::Failure::Kind::kOther, s.error().message});
  http::Request request;
  request.method = "POST";
  request.headers = {"Content-Type: application/x-ndjson"};
  if (encoding == Compression::kGzip) request.headers.emplace_back("Content-Encoding: gzip");
  if (encoding == Compression::kZstd) request.headers.emplace_back("Content-Encoding: zstd");
  request.body = body;
  request.timeout = cluster_.config_.request.timeout;
  for (;;) {
    if (stop.stop_requested()) return cancelled();
    const Pick pick = cluster_.Next();
    if (pick.none) {
      if (!SleepFor(stop, pick.wait_until - Clock::now())) return cancelled();
      continue;
    }
    if (pick.check && !Check(pick.node, stop)) continue;
    request.url = cluster_.nodes_[pick.node].url + cluster_.bulk_path_;
    const auto sent = client_->Send(request, response, stop);
    if (!sent) {
      if (sent.error().kind == http::Failure::Kind::kCancelled) return cancelled();
      cluster_.metrics_.Errors(sent.error().name()).Add();
      cluster_.Note(pick.node, false, sent.error().message);
      continue;
    }
    // A gateway without a server behind it; the others may have one.
    const bool away = response.status >= 502 && response.status <= 504;
    cluster_.Note(pick.node, !away,
                  away ? request.url.substr(0, request.url.find('?')) + " answers " +
                             std::to_string(response.status)
                       : std::string());
    return {};
  }
}

Status Cluster::Probe(std::chrono::milliseconds timeout) {
  MILLRACE_ASSIGN(const std::unique_ptr<http::Client> client,
                  http::Client::Make(HttpOptions(config_)));
  Status last;
  for (const Node& node : nodes_) {
    http::Request request;
    request.url = node.url + "/";
    request.timeout = timeout;
    http::Response response;
    const auto sent = client->Send(request, response);
    if (!sent) {
      last = tl::make_unexpected(sent.error().ToError());
    } else if (response.status == 401 || response.status == 403) {
      last = Fail(ErrorCode::kPermission,
                  node.url + " refuses the login (" + std::to_string(response.status) + ")");
    } else if (response.status >= 500) {
      last =
          Fail(ErrorCode::kUnavailable, node.url + " answers " + std::to_string(response.status));
    } else if (!ServerOf(response).known) {
      last = Fail(ErrorCode::kInvalidArgument,
                  node.url + " is neither Elasticsearch nor OpenSearch (status " +
                      std::to_string(response.status) + ")");
    } else {
      return {};
    }
  }
  return last;
}

}  // namespace millrace::agent
