#include "exporters/uptime_probe/config_store.h"

#include <chrono>

#include "common/base/fd.h"
#include "common/log/log.h"

namespace millrace::uptime_probe {

std::shared_ptr<const LoadedConfig> ConfigStore::Get() const {
  const std::lock_guard lock(mu_);
  return current_;
}

Status ConfigStore::Load() {
  auto text = ReadFile(file_, std::size_t{64} << 20);
  if (!text)
    return tl::make_unexpected(std::move(text).error().Within("error reading config file"));
  if (!text_.empty() && *text == text_) {
    log::Info("Configuration is unchanged");
    return {};
  }
  auto parsed = ParseConfig(*text, file_);
  if (!parsed)
    return tl::make_unexpected(std::move(parsed).error().Within("error parsing config file"));
  for (const auto& warning : parsed->warnings)
    log::Warn("Configuration has a setting to look at", {{"setting", warning}});
  auto loaded = std::make_shared<LoadedConfig>();
  loaded->config = std::move(*parsed);
  for (const auto& [name, module] : loaded->config.modules)
    loaded->module_texts[name] = std::make_shared<const std::string>(DumpModule(module));
  text_ = std::move(*text);
  const std::lock_guard lock(mu_);
  current_ = std::move(loaded);
  return {};
}

Status ConfigStore::Reload() {
  const std::lock_guard lock(reload_mu_);
  Status status = Load();
  good_ = status.has_value();
  if (status)
    good_time_ =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return status;
}

}  // namespace millrace::uptime_probe
