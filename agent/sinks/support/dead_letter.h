#pragma once
// Where events go that a target refuses for good, with everything needed to understand why and to
// send them again.
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "agent/core/component.h"
#include "agent/core/event.h"
#include "agent/encode/encoder.h"
#include "common/base/buffer.h"
#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/config/visitor.h"

namespace millrace::agent {

/// The `dead_letter:` of a sink.
struct DeadLetterConfig {
  std::string path;  ///< "" = dead_letter.ndjson in the sink's data folder.
  config::Bytes max_bytes{std::uint64_t{1} << 30};
};
void Visit(config::Visitor& v, DeadLetterConfig& c);

/// Why an event was refused.
struct Refusal {
  std::string_view reason;    ///< Of a small fixed set: "mapping", "too_large", ...
  int code = 0;               ///< The target's status or error number.
  std::string_view target;    ///< Index or topic.
  std::string_view response;  ///< What the target said; cut at 2 KiB.
  std::string_view id;        ///< Identity the event was sent under; "" = its own.
};

/// A file of one JSON object a line. An event counts as settled when Commit() has returned after
/// its Add(): it is on disk then. Files are renamed with a time at an eighth of the limit, so that
/// a finished one can be replayed or deleted; nothing is ever deleted here, and when the limit is
/// reached Commit() fails until somebody makes room. Thread safe.
class DeadLetters {
 public:
  DeadLetters(const DeadLetterConfig& config, const Context& context);
  ~DeadLetters();

  class Batch {
   public:
    void Add(const EventBatch& batch, const Event& event, const Refusal& refusal);
    [[nodiscard]] std::size_t events() const { return events_; }

   private:
    friend class DeadLetters;
    Buffer out_;
    std::string component_;
    std::unique_ptr<Encoder> encoder_;
    std::size_t events_ = 0;
  };
  /// For events that are committed together. One thread each.
  [[nodiscard]] Batch Start() const;
  /// Writes and syncs; counts the events by nothing (the sink does). On failure nothing counts as
  /// written and the call may be repeated.
  Status Commit(Batch& batch);

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Status OpenLocked();
  Status RotateLocked();

  std::string id_, path_;
  std::uint64_t max_bytes_;
  std::mutex mu_;
  Fd fd_;
  std::uint64_t size_ = 0, total_ = 0;
  Gauge bytes_gauge_;
};

}  // namespace millrace::agent
