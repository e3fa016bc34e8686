#include "exporters/uptime_probe/prober.h"

#include <algorithm>

#include "common/exposition/writer.h"

namespace millrace::uptime_probe {

void MetricSet::Declare(std::string_view name, std::string_view help) {
  DeclareVector(name, help);
  (void)Sample(name, {});
}

void MetricSet::DeclareVector(std::string_view name, std::string_view help) {
  for (const Family& f : families_)
    if (f.name == name) return;
  families_.push_back({name, help, {}});
}

double& MetricSet::Sample(std::string_view name, const std::vector<LabelPair>& labels) {
  auto family = std::find_if(families_.begin(), families_.end(),
                             [name](const Family& f) { return f.name == name; });
  if (family == families_.end()) {
    families_.push_back({name, {}, {}});
    family = families_.end() - 1;
  }
  for (Series& s : family->series)
    if (std::equal(s.labels.begin(), s.labels.end(), labels.begin(), labels.end(),
                   [](const auto& a, const auto& b) {
                     return a.first == b.first && a.second == b.second;
                   }))
      return s.value;
  Series& added = family->series.emplace_back();
  for (const auto& [key, value] : labels) added.labels.emplace_back(key, value);
  return added.value;
}

double MetricSet::Get(std::string_view name) const {
  for (const Family& f : families_)
    if (f.name == name && !f.series.empty()) return f.series[0].value;
  return 0;
}

void MetricSet::Write(exposition::MetricWriter& out) const {
  std::vector<exposition::Label> labels;
  for (const Family& f : families_) {
    if (f.series.empty()) continue;
    out.Family(f.name, exposition::MetricType::kGauge, f.help);
    for (const Series& s : f.series) {
      labels.clear();
      for (const auto& [key, value] : s.labels) labels.push_back({key, value});
      out.Sample(labels, s.value);
    }
  }
}

std::string MetricSet::Text() const {
  // Kept by each thread: an exposition that is like the last one allocates nothing inside.
  thread_local exposition::MetricWriter writer;
  thread_local exposition::Assembler assembler;
  writer.Reset(exposition::Format::kText);
  Write(writer);
  assembler.Begin(exposition::Format::kText);
  assembler.Add(writer);
  std::string out;
  assembler.Finish(out);
  return out;
}

void ProbeLog::Write(log::Level level, std::string_view message, log::Fields fields,
                     log::Where where) {
  if (level < level_) return;
  // A target may send megabytes in one line; a log keeps its beginning.
  constexpr std::size_t kMostText = std::size_t{64} << 10, kMostLine = 4096;
  if (text_.size() > kMostText) return;
  std::string line =
      log::Line(level, message, fields, {{"module", module_}, {"target", target_}}, where);
  if (line.size() > kMostLine) {
    line.resize(kMostLine);
    line += "...";
  }
  log::WriteLine(line);
  text_ += line;
  text_ += '\n';
}

bool ProbeContext::FailWith(std::string_view why, std::string_view message, const Error& error,
                            log::Where where) {
  if (reason.empty()) reason = error.code == ErrorCode::kTimeout ? "timeout" : why;
  log.Error(message, {{"err", error}}, where);
  return false;
}

bool ProbeContext::FailWith(std::string_view why, std::string_view message, log::Fields fields,
                            log::Where where) {
  if (reason.empty()) reason = why;
  log.Error(message, fields, where);
  return false;
}

}  // namespace millrace::uptime_probe
