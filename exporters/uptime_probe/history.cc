#include "exporters/uptime_probe/history.h"

namespace millrace::uptime_probe {

std::string ProbeResult::DebugText() const {
  std::string out = "Logs for the probe:\n";
  out += log;
  out += "\n\n\nMetrics that would have been returned:\n";
  out += metrics;
  out += "\n\n\nModule configuration:\n";
  if (module_text != nullptr) out += *module_text;
  return out;
}

void History::Add(std::shared_ptr<ProbeResult> result) {
  const std::lock_guard lock(mu_);
  result->id = next_id_++;
  results_.push_back(std::move(result));
  if (results_.size() <= limit_) return;
  if (!results_.front()->success) {
    failures_.push_back(std::move(results_.front()));
    if (failures_.size() > limit_) failures_.pop_front();
  }
  results_.pop_front();
}

std::vector<std::shared_ptr<const ProbeResult>> History::List() const {
  const std::lock_guard lock(mu_);
  std::vector<std::shared_ptr<const ProbeResult>> out(results_.rbegin(), results_.rend());
  out.insert(out.end(), failures_.rbegin(), failures_.rend());
  return out;
}

std::shared_ptr<const ProbeResult> History::ById(std::int64_t id) const {
  const std::lock_guard lock(mu_);
  for (const auto* list : {&results_, &failures_})
    for (const auto& r : *list)
      if (r->id == id) return r;
  return nullptr;
}

std::shared_ptr<const ProbeResult> History::ByTarget(std::string_view target,
                                                     std::string_view module) const {
  const std::lock_guard lock(mu_);
  for (const auto* list : {&results_, &failures_})
    for (auto it = list->rbegin(); it != list->rend(); ++it)
      if ((*it)->target == target && (module.empty() || (*it)->module == module)) return *it;
  return nullptr;
}

}  // namespace millrace::uptime_probe
