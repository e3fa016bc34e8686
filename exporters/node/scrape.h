#pragma once
// One scrape: runs the enabled collectors and joins what they write.
#include <chrono>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/node/collector.h"

namespace millrace::node {

/// collect[] and exclude[] of a request: at most one of them may be given.
struct Selection {
  std::vector<std::string> collect, exclude;
};

/// Thread safe: scrapes are served one after the other, since a collector keeps its buffers.
///
/// Collectors run on a worker thread. When one takes longer than --collector.timeout, the worker
/// is left behind with it and another one goes on with the next collector: a hung sysfs attribute
/// costs one thread and one timeout, not every scrape. While it hangs, its collector is reported
/// as failed at once. A thread that still hangs when the Scraper goes is detached; what it uses
/// lives as long as it does.
class Scraper {
 public:
  /// Makes those of `entries` (all of ours by default) that the flags enable.
  [[nodiscard]] static Result<std::unique_ptr<Scraper>> Make(const FlagSet& flags);
  [[nodiscard]] static Result<std::unique_ptr<Scraper>> Make(
      const FlagSet& flags, std::span<const CollectorEntry* const> entries);
  ~Scraper();
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;

  /// Replaces `out`. `extra` (metrics of the exporter itself, or nullptr) is joined in. Fails
  /// with kInvalidArgument and a text for the client when the selection is wrong.
  [[nodiscard]] Status Scrape(const Selection& selection, exposition::Format format,
                              const MetricWriter* extra, std::string& out);
  /// Names of the enabled collectors, sorted.
  [[nodiscard]] std::vector<std::string_view> Enabled() const;

 private:
  struct State;
  explicit Scraper(std::shared_ptr<State> state) : state_(std::move(state)) {}
  [[nodiscard]] Status Select(const Selection& selection);
  void RunSelected(exposition::Format format);
  void WriteOutcomes(exposition::Format format);

  std::mutex one_scrape_;
  std::shared_ptr<State> state_;
  MetricWriter outcomes_;
  exposition::Assembler assembler_;
};

}  // namespace millrace::node
