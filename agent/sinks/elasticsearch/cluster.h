#pragma once
// The nodes requests go to: which of them are well, and what kind of server they are.
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/metrics.h"
#include "agent/sinks/elasticsearch/config.h"
#include "agent/sinks/support/retry.h"
#include "common/http/client/client.h"

namespace millrace::agent {

struct ServerInfo {
  bool known = false, opensearch = false;
  std::string version;
};
/// From the reply to `GET /`: its body, or its headers where a small build has no such page.
[[nodiscard]] ServerInfo ServerOf(const http::Response& response);

[[nodiscard]] http::ClientOptions HttpOptions(const ElasticsearchConfig& config);

/// Shared by the threads of one sink. Thread safe.
class Cluster {
 public:
  using Clock = std::chrono::steady_clock;
  Cluster(const ElasticsearchConfig& config, std::string component_id, Metrics& metrics);

  /// Requests of one thread.
  class Link {
   public:
    explicit Link(Cluster& cluster) : cluster_(cluster) {}
    /// Sends `body` to the next node that is well; the failure of one is noted and the others are
    /// tried. Waits while none is well. Any HTTP status is an answer.
    tl::expected<void, http::Failure> Bulk(std::string_view body, Compression encoding,
                                           http::Response& response, const std::stop_token& stop);

    /// Learns what kind of server it is, if that is not known and one answers.
    void Greet(const std::stop_token& stop);

   private:
    Status Connect();
    [[nodiscard]] bool Check(std::size_t node, const std::stop_token& stop);
    Cluster& cluster_;
    std::unique_ptr<http::Client> client_;
  };

  /// `GET /` on each node until one answers well.
  Status Probe(std::chrono::milliseconds timeout);
  [[nodiscard]] ServerInfo server() const;
  /// False for servers known not to: Elasticsearch answers 400 with a misleading text, OpenSearch
  /// 2.19 was seen to end.
  [[nodiscard]] bool TakesZstd() const;

 private:
  struct Node {
    std::string url;
    Circuit circuit;
    bool fresh = true;  ///< Nothing was ever sent to it.
    Gauge healthy;
  };
  struct Pick {
    std::size_t node = 0;
    bool check = false;              ///< See how it is before a large body is sent.
    Clock::time_point wait_until{};  ///< No node may be tried before.
    bool none = false;
  };
  [[nodiscard]] Pick Next();
  void Note(std::size_t node, bool ok, const std::string& error);
  void Learn(const http::Response& response, const std::string& url);

  const ElasticsearchConfig& config_;
  std::string id_, bulk_path_;
  Metrics& metrics_;
  mutable std::mutex mu_;
  std::vector<Node> nodes_;
  std::size_t turn_ = 0;
  bool outage_ = false;  ///< No node is well; said once.
  ServerInfo server_;
};

}  // namespace millrace::agent
