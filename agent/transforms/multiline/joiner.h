#pragma once
// Lines of many streams, joined by rules.
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/core/component.h"
#include "agent/core/path.h"
#include "agent/transforms/multiline/rules.h"

namespace millrace::agent {

/// A message that is open at the end of a batch leaves it: it becomes a small batch of its own with
/// copies of its bytes (it must not keep a whole read block alive) and holds the tokens of every
/// batch it has lines of, so that a source repeats all its lines until the message is delivered.
/// When a later batch completes it, it goes in front of that batch's lines; else Flush() gives it
/// out. Identity, position and fields are those of its first line. One instance a lane.
class Joiner final : public Transform {
 public:
  using Clock = std::chrono::steady_clock;
  struct Options {
    Path field;
    std::vector<Path> group_by;
    std::string separator;
    std::chrono::milliseconds timeout{1000};
    std::size_t max_lines = 1000, max_bytes = 1 << 20;
    Clock::time_point (*now)() = &Clock::now;
  };
  Joiner(Options options, std::shared_ptr<const LineRules> rules, std::shared_ptr<Metrics> metrics);

  void Apply(EventBatch& batch) override;
  std::vector<std::unique_ptr<EventBatch>> Flush(bool final) override;
  bool holds_events() const override { return true; }
  std::unique_ptr<Transform> Clone() const override;

 private:
  /// The open message of one stream.
  struct Open {
    static constexpr std::uint32_t kHeld = UINT32_MAX;
    bool open = false;
    std::uint16_t state = 0;
    std::uint32_t index = kHeld;       ///< Of its event in the batch at hand, or kHeld.
    std::unique_ptr<EventBatch> held;  ///< Else where its event is.
    std::uint64_t tokens_of = 0;       ///< `held` has the tokens up to that batch (number).
    std::size_t lines = 0;
    std::string_view slice;  ///< Its text while that is one piece of the batch's memory,
    std::string text;        ///< or the text so far.
    Clock::time_point last;
    [[nodiscard]] std::size_t size() const {
      return slice.data() != nullptr ? slice.size() : text.size();
    }
  };
  struct Insert {
    std::uint32_t before;  ///< Index in the batch.
    std::unique_ptr<EventBatch> held;
  };

  Open& Find(const EventBatch& batch, std::size_t i);
  void Begin(Open& o, std::uint32_t i, std::string_view line, const LineRules::Step& step);
  void Append(EventBatch& batch, Open& o, std::string_view line);
  /// The message is complete: it goes in front of event `before`.
  void Close(EventBatch& batch, Open& o, std::uint32_t before);
  void HoldOpenOnes(EventBatch& batch);
  void PutInserts(EventBatch& batch);

  Options options_;
  std::shared_ptr<const LineRules> rules_;
  std::shared_ptr<Metrics> metrics_;
  std::unordered_map<std::string, Open> open_;
  std::string key_;
  std::vector<Insert> inserts_;
  std::vector<Open*> touched_;  ///< Opened in the batch at hand.
  std::vector<EventBatch::Place> places_;
  std::uint64_t batch_number_ = 0;
  std::size_t sweep_at_ = 64;  ///< Entries of open_ at which closed ones are taken out.
};

}  // namespace millrace::agent
