#pragma once
// Takes one batch after the other to the server until every event of it has an end.
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/compress/compressor.h"
#include "agent/core/metrics.h"
#include "agent/sinks/elasticsearch/bulk_encoder.h"
#include "agent/sinks/elasticsearch/bulk_reply.h"
#include "agent/sinks/elasticsearch/cluster.h"
#include "agent/sinks/elasticsearch/config.h"
#include "agent/sinks/elasticsearch/items.h"
#include "agent/sinks/elasticsearch/targets.h"
#include "agent/sinks/support/dead_letter.h"
#include "common/log/log.h"

namespace millrace::agent {

/// Events of one request. The body is made by whoever fills it; a courier that has to send some of
/// the events again makes them a new one.
struct Batch {
  std::vector<Item> items;
  Keep keep;
  Buffer wire;            ///< Compressed.
  std::size_t plain = 0;  ///< Bytes before that.
  Compression encoding = Compression::kNone;
};

/// What the threads of a sink share. Thread safe.
class Shipping {
 public:
  Shipping(const ElasticsearchConfig& config, const Context& context);

  const ElasticsearchConfig& config;
  const std::string id;
  const std::shared_ptr<Metrics> metrics;
  Cluster cluster;
  TargetTable targets;
  DeadLetters dead_letters;

  /// Compression that the server takes; changes once at most.
  std::atomic<Compression> encoding;
  /// Plain bytes the server takes in one request, as far as known.
  [[nodiscard]] std::size_t body_limit() const { return body_limit_; }
  void LearnTooLarge(std::size_t plain);
  void LearnFits();
  /// Requests that may be under way: fewer after an overload, more again as they succeed.
  [[nodiscard]] unsigned concurrency() const { return concurrency_; }
  void LearnOverload();
  /// gzip from now on; said once.
  void GiveUpZstd(const std::string& why);
  /// The whole sink waits for an operator. Said once, and once a minute.
  void Blocked(std::string_view why, const std::string& error);
  void NotBlocked();
  /// Some request was taken since the start: a refusal is about its content, not about the set-up.
  std::atomic<bool> worked = false;

  Counter stored, duplicates, redirected, retried;
  Histogram latency, batch_events, batch_bytes;
  Gauge blocked_gauge, last_ack;

 private:
  std::atomic<std::size_t> body_limit_;
  std::atomic<unsigned> concurrency_, successes_ = 0;
  std::mutex mu_;
  std::chrono::steady_clock::time_point last_overload_{};
  std::string blocked_;
  log::Limit blocked_limit_{std::chrono::seconds(60)};
};

/// Not thread safe: one for each thread.
class Courier {
 public:
  explicit Courier(Shipping& shipping);
  /// Returns when every event is stored, in the dead letters or parked, or soon after `stop` fired
  /// (the rest is then unsettled).
  void Deliver(Batch& batch, const std::stop_token& stop);

 private:
  /// Events that go in one request.
  struct Piece {
    std::vector<Item> items;
    unsigned attempts = 0;
    bool part = false;  ///< Of a request that was refused as a whole.
  };
  enum class Answer : std::uint8_t { kItems, kAgain, kHalve, kSuspect, kStopped };

  void Make(const std::vector<Item>& items, Batch& batch);
  Answer Send(Batch& batch, Piece& piece, const std::stop_token& stop);
  Answer Refused(Batch& batch, Piece& piece, const std::stop_token& stop);
  /// Ends the events the server decided on; leaves those to be sent again in `piece`.
  void Settle(Piece& piece, const std::stop_token& stop);
  void Bury(const std::vector<Item>& items, std::string_view reason, int code,
            const std::string& response, const std::stop_token& stop);
  [[nodiscard]] bool Bury(DeadLetters::Batch& letters, const std::stop_token& stop);
  [[nodiscard]] bool Wait(const std::stop_token& stop);
  /// Gives up the search for one poison event: puts all that is left into one piece again.
  static void Join(std::vector<Piece>& todo, std::vector<Item>& suspects);
  void ParkAll(const std::vector<Item>& items);

  Shipping& s_;
  Cluster::Link link_;
  BulkEncoder encoder_;
  std::unique_ptr<Compressor> compressor_;
  Compression compressor_kind_ = Compression::kNone;
  Buffer plain_;
  http::Response response_;
  std::vector<BulkItem> results_;
  Backoff backoff_;
};

}  // namespace millrace::agent
