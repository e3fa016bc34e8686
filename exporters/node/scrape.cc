#include "exporters/node/scrape.h"

#include <algorithm>
#include <condition_variable>
#include <system_error>
#include <thread>

#include "common/log/log.h"
#include "exporters/node/registry.h"

namespace millrace::node {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

// Shared with the worker threads; guarded by `mu`, except that the collector and the writer of a
// busy slot belong to the worker that runs it.
struct Scraper::State {
  struct Slot {
    const CollectorEntry* entry = nullptr;
    std::unique_ptr<Collector> collector;
    MetricWriter writer;
    bool selected = false;
    bool busy = false;    // a worker is in Collect
    bool served = false;  // finished in this scrape
    bool success = false;
    double seconds = 0;
  };

  std::mutex mu;
  std::condition_variable work, done;
  std::vector<Slot> slots;
  Clock::duration timeout{};
  exposition::Format format = exposition::Format::kText;
  std::size_t next = 0;       // slots from here on are to be looked at by the worker
  bool running = false;       // a scrape is under way
  Clock::time_point started;  // when the slot at hand began
  unsigned worker = 0;        // the current worker; one with another number was left behind
  bool has_worker = false;
  bool stop = false;

  void RunWorker(unsigned id);
  bool RunNext(std::unique_lock<std::mutex>& lock, unsigned id);
};

// False when this worker was left behind.
bool Scraper::State::RunNext(std::unique_lock<std::mutex>& lock, unsigned id) {
  Slot& slot = slots[next++];
  if (!slot.selected || slot.busy) return true;
  slot.busy = true;
  started = Clock::now();
  const auto began = started;
  const exposition::Format wanted = format;
  lock.unlock();
  slot.writer.Reset(wanted);
  Status status = slot.collector->Collect(slot.writer);
  if (status && slot.writer.rejected() != 0)
    status = Fail(ErrorCode::kParse, "names of metrics with bytes that do not belong there: " +
                                         std::to_string(slot.writer.rejected()));
  const auto elapsed = Clock::now() - began;
  const double seconds = std::chrono::duration<double>(elapsed).count();
  if (!status) {
    const auto level =
        status.error().code == ErrorCode::kNotFound ? log::Level::kDebug : log::Level::kError;
    if (log::Enabled(level))
      log::Write(
          level, level == log::Level::kDebug ? "Collector returned no data" : "Collector failed",
          {{"name", slot.entry->name}, {"duration_seconds", seconds}, {"error", status.error()}});
  }
  lock.lock();
  slot.busy = false;
  if (worker != id) return false;
  slot.served = true;
  slot.success = status.has_value();
  slot.seconds = seconds;
  return true;
}

void Scraper::State::RunWorker(unsigned id) {
  std::unique_lock lock(mu);
  while (!stop && worker == id) {
    if (!running) {
      work.wait(lock);
      continue;
    }
    while (next < slots.size())
      if (!RunNext(lock, id)) return;
    running = false;
    done.notify_one();
  }
}

Result<std::unique_ptr<Scraper>> Scraper::Make(const FlagSet& flags) {
  return Make(flags, Collectors());
}

Result<std::unique_ptr<Scraper>> Scraper::Make(const FlagSet& flags,
                                               std::span<const CollectorEntry* const> entries) {
  if (flags.GetSeconds("collector.timeout") <= 0)
    return Fail(ErrorCode::kInvalidArgument, "--collector.timeout must be more than 0");
  auto state = std::make_shared<State>();
  state->timeout = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(flags.GetSeconds("collector.timeout")));
  const Context context{flags, PathsFrom(flags)};
  for (const CollectorEntry* entry : entries) {
    if (!IsEnabled(flags, *entry)) continue;
    auto collector = entry->make(context);
    if (!collector) return tl::make_unexpected(std::move(collector).error().Within(entry->name));
    State::Slot& slot = state->slots.emplace_back();
    slot.entry = entry;
    slot.collector = std::move(*collector);
  }
  return std::unique_ptr<Scraper>(new Scraper(std::move(state)));
}

Scraper::~Scraper() {
  const std::lock_guard lock(state_->mu);
  state_->stop = true;
  state_->work.notify_all();
}

std::vector<std::string_view> Scraper::Enabled() const {
  std::vector<std::string_view> names;
  for (const auto& slot : state_->slots) names.push_back(slot.entry->name);
  return names;
}

Status Scraper::Select(const Selection& selection) {
  if (!selection.collect.empty() && !selection.exclude.empty())
    return Fail(ErrorCode::kInvalidArgument,
                "Combined collect and exclude queries are not allowed.");
  const auto contains = [](const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& name : selection.collect) {
    const auto slots = std::span(state_->slots);
    if (std::any_of(slots.begin(), slots.end(),
                    [&](const auto& s) { return s.entry->name == name; }))
      continue;
    const auto all = Collectors();
    const bool known =
        std::any_of(all.begin(), all.end(), [&](const auto* e) { return e->name == name; });
    return Fail(ErrorCode::kInvalidArgument,
                "Couldn't create filtered metrics handler: couldn't create collector: " +
                    std::string(known ? "disabled" : "missing") + " collector: " + name);
  }
  for (auto& slot : state_->slots)
    slot.selected = (selection.collect.empty() || contains(selection.collect, slot.entry->name)) &&
                    !contains(selection.exclude, slot.entry->name);
  return {};
}

void Scraper::RunSelected(exposition::Format format) {
  State& s = *state_;
  std::unique_lock lock(s.mu);
  const auto start_worker = [&] {
    try {
      std::thread([state = state_, id = ++s.worker] { state->RunWorker(id); }).detach();
      s.has_worker = true;
    } catch (const std::system_error& e) {  // no more threads: nothing is served this time
      log::Error("Cannot start a thread for collectors", {{"error", std::string_view(e.what())}});
      s.has_worker = s.running = false;
    }
  };
  for (auto& slot : s.slots) {
    slot.served = slot.success = false;
    slot.seconds = 0;
  }
  s.format = format;
  s.next = 0;
  s.running = true;
  s.started = Clock::now();
  if (s.has_worker) {
    s.work.notify_one();
  } else {
    start_worker();
  }
  while (s.running) {
    const auto deadline = s.started + s.timeout;
    if (s.done.wait_until(lock, deadline) != std::cv_status::timeout) continue;
    if (!s.running || Clock::now() < s.started + s.timeout) continue;
    // next is 0 only when the worker did not get a processor for that long.
    if (s.next == 0 || !s.slots[s.next - 1].busy) continue;
    auto& slot = s.slots[s.next - 1];
    slot.seconds = std::chrono::duration<double>(Clock::now() - s.started).count();
    log::Error("Collector timed out and is left behind",
               {{"name", slot.entry->name}, {"timeout", s.timeout}});
    s.started = Clock::now();
    start_worker();
  }
}

void Scraper::WriteOutcomes(exposition::Format format) {
  outcomes_.Reset(format);
  outcomes_.Family("node_scrape_collector_duration_seconds", MetricType::kGauge,
                   "node_exporter: How long a collector took.");
  for (const auto& slot : state_->slots)
    if (slot.selected) outcomes_.Sample({{"collector", slot.entry->name}}, slot.seconds);
  outcomes_.Family("node_scrape_collector_success", MetricType::kGauge,
                   "node_exporter: 1 when a collector succeeded, 0 when not.");
  for (const auto& slot : state_->slots)
    if (slot.selected) outcomes_.Sample({{"collector", slot.entry->name}}, slot.success ? 1 : 0);
}

Status Scraper::Scrape(const Selection& selection, exposition::Format format,
                       const MetricWriter* extra, std::string& out) {
  const std::lock_guard one(one_scrape_);
  MILLRACE_TRY(Select(selection));
  RunSelected(format);
  WriteOutcomes(format);
  assembler_.Begin(format);
  if (extra != nullptr) assembler_.Add(*extra);
  assembler_.Add(outcomes_);
  for (const auto& slot : state_->slots)
    if (slot.served) assembler_.Add(slot.writer);
  assembler_.Finish(out);
  if (assembler_.conflicts() != 0) {
    static log::Limit limit;
    if (limit.Pass())
      log::Warn("Collectors disagree on the type of a metric family; the later ones are left out",
                {{"families", assembler_.conflicts()}});
  }
  return {};
}

}  // namespace millrace::node
