#include "agent/sinks/elasticsearch/targets.h"

#include <algorithm>

#include "common/log/log.h"

namespace millrace::agent {
namespace {

/// How many events try whether a paused target goes again.
constexpr std::size_t kProbe = 1;

std::size_t BytesOf(const Item& item) {
  const EventBatch& batch = item.held->batch();
  return batch.Footprint() / std::max<std::size_t>(1, batch.size());
}

}  // namespace

Target::Target(std::string target_name, std::string_view action, std::chrono::milliseconds first,
               std::chrono::milliseconds most)
    : name(std::move(target_name)),
      action_line("{\"" + std::string(action) + "\":{\"_index\":\"" + name + "\",\"_id\":\""),
      backoff(first, most) {}

TargetTable::TargetTable(std::string_view action, std::chrono::milliseconds first,
                         std::chrono::milliseconds most, std::string component_id, Metrics& metrics)
    : action_(action),
      id_(std::move(component_id)),
      first_(first),
      most_(most),
      paused_gauge_(metrics.GetGauge("sink_paused_targets",
                                     "Indices that cannot take events until somebody acts.")),
      parked_gauge_(
          metrics.GetGauge("sink_parked_events", "Events that wait for paused indices.")) {}

Target* TargetTable::Find(std::string_view name) {
  std::unique_ptr<Target>& slot = targets_[std::string(name)];
  if (slot == nullptr) slot = std::make_unique<Target>(std::string(name), action_, first_, most_);
  return slot.get();
}

void TargetTable::Forget() {
  const std::lock_guard lock(mu_);
  std::erase_if(targets_, [this](const auto& entry) {
    return std::find(held_back_.begin(), held_back_.end(), entry.second.get()) == held_back_.end();
  });
}

void TargetTable::AddLocked(Target& target, const Item& item) {
  KeepAlive(target.keep, item.held);
  target.parked.push_back(item);
  parked_.fetch_add(1, std::memory_order_relaxed);
  parked_bytes_.fetch_add(BytesOf(item), std::memory_order_relaxed);
  parked_gauge_.Set(static_cast<double>(parked()));
}

void TargetTable::Park(Target& target, const std::vector<Item>& items, std::string_view reason,
                       std::string_view error) {
  const std::lock_guard lock(mu_);
  for (const Item& item : items) AddLocked(target, item);
  const bool news = !target.paused.exchange(true) || target.reason != reason;
  if (std::find(held_back_.begin(), held_back_.end(), &target) == held_back_.end())
    held_back_.push_back(&target);
  if (news || target.probing) target.retry_at = Clock::now() + target.backoff.Next();
  target.probing = false;
  target.reason = reason;
  paused_gauge_.Set(static_cast<double>(std::count_if(
      held_back_.begin(), held_back_.end(), [](const Target* t) { return t->paused.load(); })));
  if (news)
    log::Error(
        "Index cannot take events; they wait and the others go on",
        {{"component_id", id_}, {"index", target.name}, {"reason", reason}, {"error", error}});
}

void TargetTable::ParkMore(const Item& item) {
  const std::lock_guard lock(mu_);
  AddLocked(*item.target, item);
  if (std::find(held_back_.begin(), held_back_.end(), item.target) == held_back_.end())
    held_back_.push_back(item.target);
}

void TargetTable::Resume(Target& target) {
  const std::lock_guard lock(mu_);
  if (!target.paused.exchange(false)) return;
  target.probing = false;
  target.backoff.Reset();
  target.reason.clear();
  paused_gauge_.Set(static_cast<double>(std::count_if(
      held_back_.begin(), held_back_.end(), [](const Target* t) { return t->paused.load(); })));
  log::Info(
      "Index takes events again",
      {{"component_id", id_}, {"index", target.name}, {"waiting_events", target.parked.size()}});
}

std::vector<Item> TargetTable::TakeDue(Clock::time_point now, std::size_t limit, Keep& keep) {
  std::vector<Item> out;
  if (parked() == 0) return out;
  const std::lock_guard lock(mu_);
  for (auto it = held_back_.begin(); it != held_back_.end() && out.empty();) {
    Target& t = **it;
    const bool paused = t.paused;
    if (t.parked.empty()) {
      it = paused ? it + 1 : held_back_.erase(it);
      continue;
    }
    if (paused && (t.probing || now < t.retry_at)) {
      ++it;
      continue;
    }
    t.probing = paused;
    // In the order they came.
    const std::size_t n = std::min({t.parked.size(), limit, paused ? kProbe : limit});
    out.assign(t.parked.begin(), t.parked.begin() + static_cast<std::ptrdiff_t>(n));
    t.parked.erase(t.parked.begin(), t.parked.begin() + static_cast<std::ptrdiff_t>(n));
    std::size_t bytes = 0;
    for (const Item& item : out) {
      KeepAlive(keep, item.held);
      bytes += BytesOf(item);
    }
    Keep rest;
    for (const Item& item : t.parked) KeepAlive(rest, item.held);
    t.keep = std::move(rest);
    parked_.fetch_sub(n, std::memory_order_relaxed);
    parked_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    parked_gauge_.Set(static_cast<double>(parked()));
  }
  return out;
}

}  // namespace millrace::agent
