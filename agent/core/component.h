#pragma once
// The three interfaces of the agent. A component never sees the topology: it gets an output to
// write to or an input to read from, a stop token to honour, and its own metrics.
#include <chrono>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/event.h"
#include "agent/core/metrics.h"
#include "common/base/result.h"

namespace millrace::agent {

/// What a component is given when it is made.
struct Context {
  std::string id;        ///< The name the user gave it: "nginx".
  std::string data_dir;  ///< <data_dir>/<kind>s/<id>; exists when Run() is called, not before.
  std::shared_ptr<Metrics> metrics;
  std::string host;              ///< This machine's name.
  bool acknowledgements = true;  ///< Some sink downstream holds acknowledgements.
};

/// Where a source puts events.
class Output {
 public:
  virtual ~Output() = default;
  /// Takes the batch. Blocks while downstream is full: that is the backpressure. kCancelled once
  /// the stop token fired; the batch was then not taken, and its tokens report "not delivered".
  /// Thread safe; batches of one stream must come from one thread at a time, in order.
  virtual Status Send(std::unique_ptr<EventBatch> batch) = 0;
};

/// Reads from outside. Has a thread of its own.
class Source {
 public:
  virtual ~Source() = default;
  /// Runs until `stop` fires or the input ends (stdin, a generator's count). Batches carry
  /// AckTokens that let the source move its checkpoint or commit its offset.
  ///
  /// After `stop` it sends nothing more and returns soon; acknowledgements may go on coming until
  /// Close().
  virtual Status Run(std::stop_token stop, Output& out) = 0;
  /// All sinks have drained or given up: write the last checkpoint, leave the group.
  virtual void Close() {}
};

/// Changes events on their way.
class Transform {
 public:
  virtual ~Transform() = default;
  /// Changes the batch in place: Set, Remove, Drop, Begin of new events, Event::output. Called by
  /// one thread at a time for one instance; must not block or do I/O. An event it cannot handle is
  /// marked, counted and kept or dropped as the config says; that is not an Error. The caller
  /// sweeps dropped events.
  virtual void Apply(EventBatch& batch) = 0;
  /// Names of the outputs that Event::output 1, 2, ... stand for; output 0 is the default one.
  [[nodiscard]] virtual std::span<const std::string> outputs() const { return {}; }
  /// One more instance for another lane (a thread that handles other streams). What must be common
  /// to all lanes (a rate limit) is shared inside and thread safe.
  [[nodiscard]] virtual std::unique_ptr<Transform> Clone() const = 0;
  /// For a transform that keeps events back (multiline, reduce): called about every 100 ms and once
  /// with `final` at the end; returns batches that are due. What is kept back needs a holder of its
  /// own: token->AddHolder() when the event is taken out of its batch, the token into `acks` of the
  /// batch that Flush() or Apply() gives out later; routing that batch settles it.
  [[nodiscard]] virtual bool holds_events() const { return false; }
  virtual std::vector<std::unique_ptr<EventBatch>> Flush(bool final) {
    (void) final;
    return {};
  }
};

/// What a sink reads from: its queue.
class SinkInput {
 public:
  enum class Pop { kItem, kTimeout, kClosed };
  virtual ~SinkInput() = default;
  /// Waits for the next view until `deadline`. kClosed: nothing will come any more.
  virtual Pop Next(BatchView& out, std::chrono::steady_clock::time_point deadline) = 0;
  Pop Next(BatchView& out) { return Next(out, std::chrono::steady_clock::time_point::max()); }
  /// Nothing is waiting right now: a good moment to flush.
  [[nodiscard]] virtual bool Empty() const = 0;
};

/// Writes to outside. Has a thread of its own.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Does what delivering would do first (resolve, connect, log in, open), writes no data. For
  /// `validate --online` and /-/ready.
  virtual Status Probe(std::chrono::milliseconds timeout) {
    (void)timeout;
    return {};
  }
  /// Takes views from `in` and calls Delivered() on each that the target has for good; retries
  /// inside. Returns when `in` is closed and everything is settled, or soon after `stop` fired (the
  /// shutdown deadline): what is left unsettled then is repeated after the restart.
  virtual Status Run(SinkInput& in, std::stop_token stop) = 0;
};

}  // namespace millrace::agent
