#pragma once
// Header fields in the order they came, names compared without case.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::uptime_probe::web {

class Headers {
 public:
  void Add(std::string_view name, std::string_view value) { list_.emplace_back(name, value); }
  /// Replaces every field of that name.
  void Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  /// The first value, or "".
  [[nodiscard]] std::string_view Get(std::string_view name) const;
  [[nodiscard]] bool Has(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> All(std::string_view name) const;
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& list() const {
    return list_;
  }
  [[nodiscard]] bool empty() const { return list_.empty(); }

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

/// RFC 9110 5.6.2
[[nodiscard]] bool IsToken(std::string_view text);
/// Seconds since 1970 of an HTTP date in any of its three forms, or false.
[[nodiscard]] bool ParseHttpDate(std::string_view text, std::int64_t& seconds);

}  // namespace millrace::uptime_probe::web
