#pragma once
// The configuration that is in force, and its replacement while probes run.
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/base/result.h"
#include "exporters/uptime_probe/config.h"

namespace millrace::uptime_probe {

/// Immutable: a probe keeps the one it began with.
struct LoadedConfig {
  Config config;
  /// DumpModule of each, made once: every probe's debug page shows it.
  std::map<std::string, std::shared_ptr<const std::string>> module_texts;
};

/// Thread safe.
class ConfigStore {
 public:
  explicit ConfigStore(std::string file) : file_(std::move(file)) {}
  /// Reads the file. An unchanged file is not read again; a bad one leaves the old configuration.
  [[nodiscard]] Status Reload();
  [[nodiscard]] std::shared_ptr<const LoadedConfig> Get() const;
  [[nodiscard]] bool last_reload_good() const { return good_.load(); }
  /// Unix time of the last good reload.
  [[nodiscard]] double last_good_time() const { return good_time_.load(); }

 private:
  Status Load();
  const std::string file_;
  std::mutex reload_mu_;
  std::string text_;  // of the configuration in force; guarded by reload_mu_
  mutable std::mutex mu_;
  std::shared_ptr<const LoadedConfig> current_ = std::make_shared<LoadedConfig>();
  std::atomic<bool> good_{false};
  std::atomic<double> good_time_{0};
};

}  // namespace millrace::uptime_probe
